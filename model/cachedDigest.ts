/**
 * SHA-256 of weight files through a cache keyed by path, size and mtime: a checkpoint of many gigabytes is read once.
 */
import type { FileDigest } from '../domain/ports.js';
import { sha256OfFile } from './weightsId.js';

/** The part of the store that keeps digests of files. */
export interface DigestCache {
  fileDigest(path: string, size: number, mtimeMs: number): Promise<string | null>;
  saveFileDigest(file: FileDigest): Promise<void>;
}

export function digestThrough(cache: DigestCache | null): (file: Omit<FileDigest, 'sha256'>) => Promise<string> {
  return async (file) => {
    const kept = await cache?.fileDigest(file.path, file.size, file.mtimeMs);
    if (typeof kept === 'string') return kept;
    const sha256 = await sha256OfFile(file);
    await cache?.saveFileDigest({ path: file.path, size: file.size, mtimeMs: file.mtimeMs, sha256 });
    return sha256;
  };
}
