/** Checkpoint folders that tests damage: a copy of a starter model, changed before it is opened. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { RopesweepError } from '../../domain/errors.js';

export const STARTER = fileURLToPath(new URL('../../models/starter/base', import.meta.url));

/** Runs `use` in a folder of its own, which is removed afterwards. */
export async function inFolder<Result>(use: (folder: string) => Promise<Result>, source: string | null = STARTER): Promise<Result> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ropesweep-model-'));
  try {
    if (source !== null) await cp(source, folder, { recursive: true });
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

export type Json = Record<string, unknown>;

export async function changeConfig(folder: string, change: Json): Promise<void> {
  const file = path.join(folder, 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as Json;
  await writeFile(file, JSON.stringify({ ...config, ...change }));
}

/** A safetensors file: header as given, then `dataBytes` zeros (or the data itself). */
export async function writeSafetensors(file: string, header: Json | string, data: number | Uint8Array): Promise<void> {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeFile(file, Buffer.concat([length, text, typeof data === 'number' ? Buffer.alloc(data) : data]));
}

export async function readSafetensors(file: string): Promise<{ header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>; data: Buffer }> {
  const bytes = await readFile(file);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, end).toString()) as Json;
  delete header['__metadata__'];
  return { header: header as never, data: bytes.subarray(end) };
}

export async function refusal(action: Promise<unknown>): Promise<RopesweepError> {
  const error = await action.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof RopesweepError) return error;
  throw error;
}
