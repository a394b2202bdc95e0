/**
 * The identity of a checkpoint's weights: the SHA-256 of each weight file, in order of file name, and the architecture.
 * RoPE settings of config.json do not enter: they are the table's. Nor do paths: a copy is the same checkpoint.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { digest } from '../domain/identity.js';
import { id, type WeightsId } from '../domain/ids.js';
import type { Checkpoint, WeightFile } from './checkpoint.js';

/** SHA-256 of a file as 64 hexadecimal digits, streamed; `onProgress` is told the bytes of every piece. */
export async function sha256OfFile(file: { readonly path: string }, onProgress?: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file.path, { highWaterMark: 1 << 20 })) {
    const bytes = piece as Buffer;
    hash.update(bytes);
    onProgress?.(bytes.length);
  }
  return hash.digest('hex');
}

/**
 * @param sha256 of one file; a caller that keeps digests by path, size and mtime hashes nothing twice
 */
export async function weightsId(
  checkpoint: Pick<Checkpoint, 'config' | 'weightFiles'>,
  sha256: (file: WeightFile) => Promise<string> = (file) => sha256OfFile(file),
): Promise<WeightsId> {
  const files: string[] = [];
  for (const file of checkpoint.weightFiles) files.push(await sha256(file));
  return id<WeightsId>(digest({ architecture: { family: 'llama', ...checkpoint.config }, files }));
}
