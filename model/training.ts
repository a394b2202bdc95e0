/**
 * training.json beside config.json: what a checkpoint says of its training. It changes no number; findings that compare
 * checkpoints read it. Other fields and other files of that name are let be.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { CheckpointTraining } from '../domain/plan.js';

const fileSchema = z.object({
  seed: z.int().nullable().catch(null),
  continualPretrainTokens: z.int().positive().nullable().catch(null),
});

/** null where there is no such file, or none that can be read as JSON, or it says neither. */
export async function readTraining(folder: string): Promise<CheckpointTraining | null> {
  const text = await readFile(path.join(folder, 'training.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const parsed = fileSchema.safeParse(jsonOf(text));
  if (!parsed.success) return null;
  const { seed, continualPretrainTokens: tokens } = parsed.data;
  return seed === null && tokens === null ? null : { seed, tokens };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
