/**
 * From a sweep file to a plan, as run and plan share it.
 */
import { RopesweepError } from '../domain/errors.js';
import { digest } from '../domain/identity.js';
import type { CellKey } from '../domain/ids.js';
import type { Plan } from '../domain/plan.js';
import type { KnownCell, Store } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import { modelsFolder } from '../infra/cacheFolder.js';
import { digestThrough } from '../model/cachedDigest.js';
import { forecast, type ClassForecast } from '../planner/forecast.js';
import { readSpec } from '../planner/parse.js';
import { expandGrid } from '../planner/grid.js';
import { buildPlan, plannedEngineVersion } from '../planner/plan.js';
import { resolveSweep } from '../planner/resolve.js';

export interface SweepFile {
  readonly file: string;
  readonly spec: SweepSpec;
  /** Checkpoints whose weights are not here: the sweep can be planned from their config.json, not run. */
  readonly missingFolders: readonly string[];
}

export interface ForecastPlan {
  readonly plan: Plan;
  readonly forecasts: readonly ClassForecast[];
}

/** Reads and checks a sweep file and everything it names, without hashing weights; nothing is started. */
export async function readSweepFile(file: string, set: readonly string[]): Promise<SweepFile> {
  const spec = await readSpec(file, set);
  // Weights are hashed once the store is open, where their digests are kept; until then a file's path stands for it.
  const resolved = await resolveSweep(spec, { file, modelsFolder: modelsFolder(), fileSha256: ({ path }) => Promise.resolve(digest(path)) });
  const { arms } = buildPlan(spec, resolved, new Map());
  return { file, spec, missingFolders: [...new Set(arms.flatMap(({ checkpoint }) => (checkpoint.provisional ? [checkpoint.folder] : [])))] };
}

/** @throws RopesweepError CHECKPOINT_MISSING, naming every checkpoint that is not here */
export function refuseMissing({ missingFolders }: SweepFile): void {
  if (missingFolders.length === 0) return;
  throw new RopesweepError(
    'CHECKPOINT_MISSING',
    missingFolders.map((folder) => ({
      where: folder,
      what: 'the weights are not here; the sweep can be planned from its config.json, not run',
      mend: 'Put the checkpoint there, or set model.base and model.continued to where it lies.',
    })),
  );
}

/** The plan against what the store knows; without a store everything is new. */
export async function planSweep(sweepFile: SweepFile, store: Store | null): Promise<Plan> {
  return (await planned(sweepFile, store)).plan;
}

/** The plan with what it would take on every device class. */
export async function planWithForecast(sweepFile: SweepFile, store: Store | null): Promise<ForecastPlan> {
  const { plan, resolved, grid } = await planned(sweepFile, store);
  const rates = (await store?.measuredRates(plan.arms.map(({ checkpoint }) => checkpoint.weightsId))) ?? new Map<string, number>();
  return { plan, forecasts: forecast(sweepFile.spec, resolved, grid, plan, rates) };
}

async function planned({ file, spec }: SweepFile, store: Store | null) {
  const resolved = await resolveSweep(spec, { file, modelsFolder: modelsFolder(), fileSha256: digestThrough(store) });
  const grid = expandGrid(resolved);
  const keys = grid.map((cell) => cell.key);
  const known: ReadonlyMap<CellKey, KnownCell> = (await store?.knownCells(keys, spec.deviceClass, plannedEngineVersion(resolved))) ?? new Map();
  return { resolved, grid, plan: buildPlan(spec, resolved, known, grid) };
}
