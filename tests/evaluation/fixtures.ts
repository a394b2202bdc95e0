/** Checkpoints, tables and comparisons that the decoder's tests share. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { methodSchema, type MethodInput, type RopeTable } from '../../domain/method.js';
import { Decoder, type FeedResult } from '../../evaluation/decoder.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { ropeTable } from '../../rope/method.js';

export const starterFolder = (name: string): string => fileURLToPath(new URL(`../../models/starter/${name}`, import.meta.url));
export const goldenModelFolder = (name: string): string => fileURLToPath(new URL(`../golden/models/${name}`, import.meta.url));
export const goldenJson = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`../golden/${name}`, import.meta.url), 'utf8')) as unknown;

/** A prompt of tests/golden/starter-prompts.json. */
export interface GoldenPrompt {
  readonly checkpoint: string;
  readonly method: 'none' | 'pi' | 'ntk' | 'yarn';
  readonly factor: number;
  readonly inputTokens: number;
  readonly needleStart: number;
  readonly needleTokens: number;
  readonly tokens: readonly number[];
  readonly answer: readonly number[];
  readonly exactMatch: number;
  readonly meanAnswerNll: number;
  /** [layers x heads][entropy, needle mass], mean over the answer rows */
  readonly entropyNatsAndNeedleMassByLayerHead: readonly (readonly [number, number])[];
}
export const goldenPrompts = async (): Promise<GoldenPrompt[]> => (await goldenJson('starter-prompts.json')) as GoldenPrompt[];

export const methodOfPrompt = ({ method, factor }: GoldenPrompt): MethodInput => (method === 'none' ? { name: 'none' } : { name: method, factor });

export const openDecoder = async (folder: string, threads = 1): Promise<Decoder> =>
  Decoder.open(await openCheckpoint(folder), { threads, dtype: 'f32' });

export const tableFor = (decoder: Decoder, method: MethodInput): RopeTable => ropeTable(methodSchema.parse(method), decoder.checkpoint.geometry, 0);

/** Every number of a result, as bytes: equal strings are equal bits. */
export function bitsOf(result: FeedResult): string {
  const { probes } = result;
  const arrays = [
    ...result.rows.flatMap((row) => [row.logits ?? new Float32Array(0), Float64Array.of(row.top1, row.nll, row.margin)]),
    probes.entropy,
    probes.maxProbability,
    probes.maxPosition,
    probes.sinkMass,
    probes.sinkMass4,
    probes.localMass,
    probes.spanMass,
    probes.entropyOfMean,
  ];
  return Buffer.concat(arrays.map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength))).toString('hex');
}
