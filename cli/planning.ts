/**
 * From a sweep file to a plan, as run and plan share it.
 */
import { digest } from '../domain/identity.js';
import type { Plan } from '../domain/plan.js';
import type { KnownCell, Store } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import type { CellKey } from '../domain/ids.js';
import { modelsFolder } from '../infra/cacheFolder.js';
import { digestThrough } from '../model/cachedDigest.js';
import { readSpec } from '../planner/parse.js';
import { expandGrid } from '../planner/grid.js';
import { buildPlan, plannedEngineVersion } from '../planner/plan.js';
import { resolveSweep } from '../planner/resolve.js';

export interface SweepFile {
  readonly file: string;
  readonly spec: SweepSpec;
}

/** Reads and checks a sweep file and everything it names, without hashing weights; nothing is started. */
export async function readSweepFile(file: string, set: readonly string[]): Promise<SweepFile> {
  const spec = await readSpec(file, set);
  // Weights are hashed once the store is open, where their digests are kept; until then a file's path stands for it.
  const resolved = await resolveSweep(spec, { file, modelsFolder: modelsFolder(), fileSha256: ({ path }) => Promise.resolve(digest(path)) });
  buildPlan(spec, resolved, new Map());
  return { file, spec };
}

/** The plan against what the store knows; without a store everything is new. */
export async function planSweep({ file, spec }: SweepFile, store: Store | null): Promise<Plan> {
  const resolved = await resolveSweep(spec, { file, modelsFolder: modelsFolder(), fileSha256: digestThrough(store) });
  const grid = expandGrid(resolved);
  const keys = grid.map((cell) => cell.key);
  const known: ReadonlyMap<CellKey, KnownCell> = (await store?.knownCells(keys, spec.deviceClass, plannedEngineVersion(resolved))) ?? new Map();
  return buildPlan(spec, resolved, known, grid);
}
