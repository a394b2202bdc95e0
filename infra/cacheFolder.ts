/** Where ropesweep keeps what it can make or fetch again: on this node, shared by its processes. */
import { join, resolve } from 'node:path';
import { RopesweepError } from '../domain/errors.js';
import { homePath } from './embedded/homeFolder.js';

const DEFAULT_LIMIT_GIB = 100;

/** Absolute path of the folder: ROPESWEEP_CACHE, or `cache` in the home. */
export function cacheFolder(home?: string): string {
  const configured = process.env['ROPESWEEP_CACHE'];
  return configured === undefined || configured === '' ? join(homePath(home), 'cache') : resolve(configured);
}

/**
 * The float32 copies of weights (model/weightCache.ts).
 * @throws RopesweepError CONFIG_INVALID
 */
export function float32Cache(): { readonly folder: string; readonly limitBytes: number } {
  return { folder: join(cacheFolder(), 'float32'), limitBytes: Math.floor(limitGib() * 2 ** 30) };
}

/** Known models that were fetched (`ropesweep model fetch`). */
export const modelsFolder = (home?: string): string => join(cacheFolder(home), 'models');

function limitGib(): number {
  const text = process.env['ROPESWEEP_CACHE_LIMIT_GIB'] ?? '';
  if (text === '') return DEFAULT_LIMIT_GIB;
  const limit = Number(text);
  if (limit > 0 && Number.isFinite(limit)) return limit;
  throw new RopesweepError('CONFIG_INVALID', { where: 'ROPESWEEP_CACHE_LIMIT_GIB', what: `${text} is not a number above 0` });
}
