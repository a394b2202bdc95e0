/**
 * From a sweep file to a plan, as run and plan share it.
 */
import { RopesweepError } from '../domain/errors.js';
import { digest } from '../domain/identity.js';
import type { CellKey } from '../domain/ids.js';
import type { Plan, PlanClasses } from '../domain/plan.js';
import type { KnownCell, KnownScore, MeasuredRate, Store } from '../domain/ports.js';
import type { Refinement } from '../domain/refinement.js';
import type { SweepSpec } from '../domain/spec.js';
import { modelsFolder } from '../infra/cacheFolder.js';
import { digestThrough } from '../model/cachedDigest.js';
import { dearestCells, type DearCell } from '../planner/dearest.js';
import { forecast, type ClassForecast } from '../planner/forecast.js';
import { readSpec } from '../planner/parse.js';
import { layGrid, type GridBlock } from '../planner/grid.js';
import { buildPlan, plannedClasses } from '../planner/plan.js';
import { refinedTasks, SweepRefinement, type RefineStep } from '../planner/refineSweep.js';
import type { ResolvedSweep } from '../planner/resolved.js';
import { resolveSweep } from '../planner/resolve.js';
import type { PrismaStore } from '../results/store.js';

export interface SweepFile {
  readonly file: string;
  readonly spec: SweepSpec;
  /** Checkpoints whose weights are not here: the sweep can be planned from their config.json, not run. */
  readonly missingFolders: readonly string[];
}

export interface ForecastPlan {
  readonly plan: Plan;
  readonly forecasts: readonly ClassForecast[];
  /** The cells that would take most. */
  readonly dearest: readonly DearCell[];
  /** null where no task is refined. */
  readonly refinement: PlannedRefinement | null;
}

export interface PlannedRefinement {
  /** What was found so far, and what it is bounded by. */
  readonly found: Refinement;
  /** Cells that it wants next, by what the store knows. */
  readonly next: number;
}

export type RefinementStore = Store & Pick<PrismaStore, 'knownScores'>;

/** Reads and checks a sweep file and everything it names, without hashing weights; nothing is started. */
export async function readSweepFile(file: string, set: readonly string[]): Promise<SweepFile> {
  const spec = await readSpec(file, set);
  // Weights are hashed once the store is open, where their digests are kept; until then a file's path stands for it.
  const resolved = await resolveSweep(spec, { file, modelsFolder: modelsFolder(), fileSha256: ({ path }) => Promise.resolve(digest(path)) });
  return { file, spec, missingFolders: [...new Set(resolved.arms.flatMap(({ arm: { checkpoint } }) => (checkpoint.provisional ? [checkpoint.folder] : [])))] };
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

/** A plan with what it was made from. */
export interface PlannedSweep {
  readonly plan: Plan;
  readonly resolved: ResolvedSweep;
  readonly grid: readonly GridBlock[];
}

/** The plan with what it would take on every device class. */
export async function planWithForecast(sweepFile: SweepFile, store: RefinementStore | null): Promise<ForecastPlan> {
  const { plan, resolved, grid } = await planSweep(sweepFile, store);
  const rates = (await store?.measuredRates(plan.arms.map(({ checkpoint }) => checkpoint.weightsId))) ?? new Map<string, MeasuredRate>();
  return { plan, forecasts: forecast(sweepFile.spec, resolved, grid, plan, rates), dearest: dearestCells(resolved, grid, plan), refinement: await plannedRefinement(plan, resolved, store) };
}

async function plannedRefinement(plan: Plan, resolved: ResolvedSweep, store: RefinementStore | null): Promise<PlannedRefinement | null> {
  if (refinedTasks(resolved).length === 0) return null;
  const known = new Map<CellKey, KnownScore>();
  const { cells, refinement } = await lookAtRefinement(new SweepRefinement(resolved), plan, store, known);
  return { found: refinement(), next: cells.filter(({ key }) => !known.has(key)).length };
}

/**
 * What refinement found so far and what it wants next. Cells that the store knows are added to `known`; without a store
 * nothing is.
 */
export async function lookAtRefinement(
  refinement: SweepRefinement,
  classes: PlanClasses,
  store: Pick<RefinementStore, 'knownScores'> | null,
  known: Map<CellKey, KnownScore>,
): Promise<RefineStep> {
  const asked = new Set<CellKey>();
  for (;;) {
    const step = refinement.step(known);
    const keys = step.unknown.filter((key) => !asked.has(key));
    if (keys.length === 0 || store === null) return step;
    for (const key of keys) asked.add(key);
    for (const [key, score] of await store.knownScores(keys, classes)) known.set(key, score);
  }
}

/** The plan against what the store knows; without a store everything is new. */
export async function planSweep({ file, spec }: SweepFile, store: Store | null): Promise<PlannedSweep> {
  const resolved = await resolveSweep(spec, { file, modelsFolder: modelsFolder(), fileSha256: digestThrough(store) });
  const { grid, known } = await layAndLook(resolved, store);
  return { resolved, grid, plan: buildPlan(spec, resolved, known, grid) };
}

/** While the store looks for the cells of some blocks, the keys of the next are hashed. */
async function layAndLook(resolved: ResolvedSweep, store: Store | null): Promise<{ grid: GridBlock[]; known: ReadonlyMap<CellKey, KnownCell> }> {
  if (store === null) return { grid: [...layGrid(resolved)], known: new Map() };
  const grid: GridBlock[] = [];
  function* keysByBlock(): Generator<readonly CellKey[]> {
    for (const block of layGrid(resolved)) {
      grid.push(block);
      yield block.keys;
    }
  }
  return { known: await store.knownCells(keysByBlock(), plannedClasses(resolved)), grid };
}
