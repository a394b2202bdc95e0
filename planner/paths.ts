/**
 * Paths of a sweep file: relative to it, and inside the configured roots once symbolic links are followed, so that a
 * spec from elsewhere cannot make a worker read what lies outside.
 */
import { realpathSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { RopesweepError } from '../domain/errors.js';

/** Folders that a spec may name: the working directory, the sweep file's folder, and those of ROPESWEEP_ROOTS, separated like PATH. */
export function configuredRoots(specFile: string, env: NodeJS.ProcessEnv = process.env): string[] {
  const configured = (env['ROPESWEEP_ROOTS'] ?? '').split(path.delimiter).filter((root) => root !== '');
  return [process.cwd(), path.dirname(path.resolve(specFile)), ...configured.map((root) => path.resolve(root))];
}

export interface SpecPaths {
  /** Absolute path, links followed as far as it exists. @throws RopesweepError PATH_OUTSIDE_ROOTS */
  resolve(written: string): Promise<string>;
}

export function specPaths(specFile: string, roots: readonly string[]): SpecPaths {
  const folder = path.dirname(path.resolve(specFile));
  const realRoots = roots.map(realOrSelf);
  return {
    async resolve(written) {
      const real = await realExistingPart(path.resolve(folder, written));
      if (realRoots.some((root) => isInside(root, real))) return real;
      throw new RopesweepError('PATH_OUTSIDE_ROOTS', {
        where: written,
        what: `it leads to ${real}, outside of ${realRoots.join(' and ')}`,
        mend: 'Move it inside, or set ROPESWEEP_ROOTS to the folders that sweep files may name, separated like PATH.',
      });
    },
  };
}

function isInside(root: string, file: string): boolean {
  const relative = path.relative(root, file);
  return relative === '' || (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}

function realOrSelf(root: string): string {
  try {
    return realpathSync(root);
  } catch {
    return root;
  }
}

/** A path that does not exist yet is where its nearest existing ancestor really lies. */
async function realExistingPart(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(await realExistingPart(parent), path.basename(file));
  }
}
