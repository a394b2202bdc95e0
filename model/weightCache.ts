/**
 * Copies of weights in the type they are computed in, where they are stored otherwise: one file a checkpoint and type in a
 * folder that all processes of a node share. Tensors that have the type already stay where they are.
 *
 * A copy is named by the content it was made of, so a stale one is never met. It is written aside and renamed, so nobody
 * sees half of one; a lock keeps processes from doing the same work twice, and if two do it all the same (a lock that is
 * not kept fresh counts as abandoned), both write the same bytes. The folder has a limit: copies that were used longest ago
 * go first, never one of the last minutes. A process that has a copy mapped keeps its pages when the name goes.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, outOfMemoryIn, RopesweepError } from '../domain/errors.js';
import type { ComputeDtype } from '../domain/engine.js';
import { digest } from '../domain/identity.js';
import type { Checkpoint } from './checkpoint.js';
import { convertedBytes, writeConverted } from './convertedFile.js';
import { readSafetensorsHeader, type StoredTensor } from './safetensors.js';
import { tensorShapes } from './tensorNames.js';
import { sha256OfFile } from './weightsId.js';

export interface WeightCache {
  /** Made if it is not there. */
  readonly folder: string;
  /** Of all copies together. */
  readonly limitBytes: number;
  /** Told again and again while weights are read or written, or while another process does it. */
  readonly onProgress?: () => void;
}

type Tensors = ReadonlyMap<string, StoredTensor>;

/** Raised when the same weights would be written as other bytes. */
const FORM = 2;
/** A copy used within this time is not removed: whoever asked for it may not have mapped it yet. */
const RECENT_MS = 10 * 60_000;
/** A lock or half a copy that nobody touched for so long belongs to a process that is gone. */
const ABANDONED_MS = 30_000;
const TOUCH_MS = 5_000;
const POLL_MS = 200;

/** {@link inDtype} of float32, what a CPU computes in; from any other type it is exact. */
export const asFloat32 = (checkpoint: Checkpoint, cache: WeightCache): Promise<Checkpoint> => inDtype(checkpoint, 'f32', cache);

/**
 * The checkpoint with every tensor of the decoder in one type and in Hugging Face's row order; itself if they are that already.
 * @throws RopesweepError CONFIG_INVALID if the copy exceeds the limit; FOLDER_UNWRITABLE; CHECKPOINT_MISSING, CHECKPOINT_INVALID;
 *   MODEL_UNSUPPORTED if a value is beyond the range of the type
 */
export async function inDtype(checkpoint: Checkpoint, dtype: ComputeDtype, cache: WeightCache): Promise<Checkpoint> {
  const needed = new Set(tensorShapes(checkpoint.config).keys());
  const tensors = new Map([...checkpoint.tensors].filter(([name, tensor]) => needed.has(name) && (tensor.dtype !== dtype.toUpperCase() || tensor.rowOrder !== undefined)));
  if (tensors.size === 0) return checkpoint;
  const foreign: Foreign = { tensors, dtype, headSize: checkpoint.config.headSize };
  try {
    await mkdir(cache.folder, { recursive: true });
    const file = path.join(cache.folder, `${await contentName(foreign, cache)}.safetensors`);
    const copies = (await readCopy(file, foreign)) ?? (await makeCopy(file, foreign, cache));
    return { ...checkpoint, tensors: new Map([...checkpoint.tensors, ...copies]) };
  } catch (cause) {
    if (cause instanceof RopesweepError) throw cause;
    throw new RopesweepError(
      'FOLDER_UNWRITABLE',
      { where: cache.folder, what: `the ${dtype} copy of ${checkpoint.folder} (${convertedBytes(tensors, dtype)} bytes) cannot be kept there: ${messageOf(cause)}`, mend: 'Free space there or set ROPESWEEP_CACHE to another folder.' },
      { cause },
    );
  }
}

/** Tensors that are stored otherwise than they are wanted. */
interface Foreign {
  readonly tensors: Tensors;
  readonly dtype: ComputeDtype;
  readonly headSize: number;
}

/** Digest of what the copy is made of: content of the files, places and order of the tensors in them. */
async function contentName({ tensors, dtype, headSize }: Foreign, cache: WeightCache): Promise<string> {
  const files = [...new Set([...tensors.values()].map(({ file }) => file))];
  const digests: string[] = [];
  for (const file of files) digests.push(await fileDigest(file, cache));
  const places = [...tensors].map(([name, { file, dtype: stored, shape, byteOffset, rowOrder }]) => [name, files.indexOf(file), stored, shape, byteOffset, rowOrder ?? null]);
  return digest({ form: FORM, dtype, headSize, files: digests, places });
}

/** SHA-256 of a weight file, kept in the folder by path, size and mtime: many gigabytes are read once. */
async function fileDigest(file: string, { folder, onProgress }: WeightCache): Promise<string> {
  const { size, mtimeMs } = await stat(file);
  const kept = path.join(folder, `${digest({ file, size, mtimeMs })}.sha256`);
  const known = await readFile(kept, 'utf8').catch(() => '');
  if (/^[0-9a-f]{64}$/.test(known)) return known;
  const sha256 = await sha256OfFile({ path: file }, onProgress);
  await writeAside(kept, (handle) => handle.writeFile(sha256));
  return sha256;
}

/** The tensors of a copy, which counts as used now; null if there is none, or one that is damaged. */
async function readCopy(file: string, { tensors, dtype }: Foreign): Promise<Tensors | null> {
  const found = await readSafetensorsHeader(file).catch((error: unknown) => {
    if (error instanceof RopesweepError && outOfMemoryIn(error) === null) return null;
    throw error;
  });
  if (found === null) return null;
  for (const [name, { shape }] of tensors) {
    const copy = found.get(name);
    if (copy?.dtype !== dtype.toUpperCase() || copy.shape.join() !== shape.join()) return null;
  }
  await touch(file);
  return found;
}

/** Another process may have removed it in between. */
const touch = (file: string): Promise<void> => utimes(file, new Date(), new Date()).catch(() => undefined);

async function makeCopy(file: string, foreign: Foreign, { folder, limitBytes, onProgress }: WeightCache): Promise<Tensors> {
  for (;;) {
    const release = await acquire(`${file}.lock`);
    if (release === null) {
      await sleep(POLL_MS);
      onProgress?.();
    } else {
      try {
        if ((await readCopy(file, foreign)) === null) {
          await makeRoom(folder, limitBytes, convertedBytes(foreign.tensors, foreign.dtype));
          await writeAside(file, (handle) => writeConverted(handle, foreign.tensors, foreign.dtype, foreign.headSize, onProgress));
        }
      } finally {
        await release();
      }
    }
    const copies = await readCopy(file, foreign);
    if (copies !== null) return copies;
  }
}

async function writeAside(file: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const aside = `${file}.${randomUUID()}.partial`;
  try {
    const handle = await open(aside, 'wx');
    try {
      await write(handle);
      await handle.sync(); // else a power cut could leave the name with holes behind it
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

/** @returns how to let go; null if another process holds the lock. */
async function acquire(lock: string): Promise<(() => Promise<void>) | null> {
  try {
    await (await open(lock, 'wx')).close();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    if (await isOlderThan(lock, ABANDONED_MS)) await rm(lock, { force: true });
    return null;
  }
  const touching = setInterval(() => void touch(lock), TOUCH_MS);
  return () => {
    clearInterval(touching);
    return rm(lock, { force: true });
  };
}

const isOlderThan = (file: string, age: number): Promise<boolean> => stat(file).then(({ mtimeMs }) => Date.now() - mtimeMs > age, () => false);

/** Removes what processes left that are gone, then the copies used longest ago until `neededBytes` fit below the limit. */
async function makeRoom(folder: string, limitBytes: number, neededBytes: number): Promise<void> {
  if (neededBytes > limitBytes) {
    throw new RopesweepError('CONFIG_INVALID', {
      where: 'ROPESWEEP_CACHE_LIMIT_GIB',
      what: `the copy of these weights takes ${neededBytes} bytes, the folder ${folder} may hold ${limitBytes}`,
      mend: 'Raise the limit.',
    });
  }
  const names = await readdir(folder);
  for (const name of names.filter((one) => one.endsWith('.partial'))) {
    if (await isOlderThan(path.join(folder, name), ABANDONED_MS)) await rm(path.join(folder, name), { force: true });
  }
  const copies = await Promise.all(
    names.filter((one) => one.endsWith('.safetensors')).map(async (name) => {
      const file = path.join(folder, name);
      return stat(file).then(({ size, mtimeMs }) => ({ file, size, mtimeMs }), () => ({ file, size: 0, mtimeMs: 0 }));
    }),
  );
  let total = copies.reduce((sum, { size }) => sum + size, 0);
  for (const { file, size, mtimeMs } of copies.sort((a, b) => a.mtimeMs - b.mtimeMs)) {
    if (total + neededBytes <= limitBytes || Date.now() - mtimeMs < RECENT_MS) break;
    await rm(file, { force: true });
    total -= size;
  }
}
