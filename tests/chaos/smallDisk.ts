/** A disk of its own under a folder, which can be filled to the last byte: a tmpfs of a fixed size. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  fill(): void;
  makeRoom(): void;
  remove(): void;
}

/** @throws where mounting is not permitted */
export function mountSmallDisk(folder: string, megabytes: number): SmallDisk {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(megabytes)}m`, 'tmpfs', folder], { stdio: 'pipe' });
  const ballast = join(folder, 'ballast');
  return {
    fill: () => {
      const file = openSync(ballast, 'a');
      // Ever smaller pieces: the last byte is taken too.
      for (let bytes = 2 ** 20; bytes >= 1; ) {
        try {
          writeSync(file, Buffer.alloc(bytes));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          bytes = Math.floor(bytes / 2);
        }
      }
      closeSync(file);
    },
    makeRoom: () => rmSync(ballast),
    // Lazily: a server that is still ending has files there.
    remove: () => execFileSync('umount', ['-l', folder], { stdio: 'ignore' }),
  };
}

/** Why no small disk can be made here; null where one can. */
export function noSmallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'ropesweep-disk-'));
  try {
    mountSmallDisk(folder, 1).remove();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  } finally {
    rmdirSync(folder);
  }
}
