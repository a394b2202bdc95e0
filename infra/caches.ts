/**
 * What a node keeps below its home beside the embedded stack, and can make again:
 *
 *   models/     known models that were fetched
 *   cache/      float32 copies of weights (model/f32Cache.ts)
 *
 * Nodes of a cluster have homes of their own; ROPESWEEP_CACHE puts the copies elsewhere, say on a local disk.
 */
import { join, resolve } from 'node:path';
import { RopesweepError } from '../domain/errors.js';

const GIB = 2 ** 30;
const DEFAULT_LIMIT_GIB = 64;

/** Folder of `ropesweep model fetch`. @param home absolute (embedded/homeFolder.ts) */
export const modelsFolder = (home: string): string => join(home, 'models');

/** @throws RopesweepError CONFIG_INVALID */
export function weightsCache(home: string, env: NodeJS.ProcessEnv = process.env): { readonly folder: string; readonly limitBytes: number } {
  const [folder, limit] = [env['ROPESWEEP_CACHE'], env['ROPESWEEP_CACHE_LIMIT']];
  const gib = limit === undefined || limit === '' ? DEFAULT_LIMIT_GIB : Number(limit);
  if (!(gib > 0)) throw new RopesweepError('CONFIG_INVALID', { where: 'ROPESWEEP_CACHE_LIMIT', what: `${limit ?? ''} is not a number of GiB` });
  return { folder: folder === undefined || folder === '' ? join(home, 'cache') : resolve(folder), limitBytes: gib * GIB };
}
