/** Files that a verb writes for a person: whole or not at all, and a clear error where the place is not writable. */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RopesweepError } from '../domain/errors.js';
import { makeFolder } from '../infra/embedded/homeFolder.js';

/** What is written, in pieces that are made as they are taken. */
type Pieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/**
 * Writes beside the file first and renames, so that a file of that name is always complete.
 *
 * @throws RopesweepError OUTPUT_UNWRITABLE
 */
export async function writeOutput(file: string, pieces: Pieces): Promise<void> {
  const partial = `${file}.${String(process.pid)}.part`;
  try {
    makeFolder(dirname(resolve(file)));
    await pipeline(Readable.from(pieces), createWriteStream(partial));
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    if (!isFileError(error)) throw error;
    throw new RopesweepError('OUTPUT_UNWRITABLE', { where: file, what: error.message, mend: 'Name a file that you may write with --out.' }, { cause: error });
  }
}

const isFileError = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'syscall' in error;

/** Everything to standard output, no faster than it is read. */
export const writeStandardOutput = (pieces: Pieces): Promise<void> => pipeline(Readable.from(pieces), process.stdout, { end: false });
