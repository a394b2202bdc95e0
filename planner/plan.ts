/**
 * The plan: a pure function of spec, resolved sweep and what the store knows. Same spec, same store, same device class:
 * same plan, on any machine; cells and their keys depend on the spec alone.
 */
import { createHash } from 'node:crypto';
import { engineVersion } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import { digest, type Plain } from '../domain/identity.js';
import { id, type CellKey, type SweepId } from '../domain/ids.js';
import type { CellCounts, ExcludedPoint, Plan, PlannedCell } from '../domain/plan.js';
import type { KnownCell } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import { isMeasured, type CellState } from '../domain/states.js';
import { totalCost } from './cost.js';
import { foresee, type Foresight } from './feasible.js';
import { distinctCells, expandGrid, type GridCell } from './grid.js';
import { isRefined } from './refineDesign.js';
import type { ResolvedSweep } from './resolved.js';
import { packShards } from './shards.js';
import { cellsOfTask } from './tasks/registry.js';

/** The engine version that outcomes of this sweep's device class belong to: what the store is asked with. */
export const plannedEngineVersion = ({ device }: Pick<ResolvedSweep, 'device'>): string => engineVersion(device.provider);

/**
 * @param known what the store knows of the grid's keys, for the spec's device class and {@link plannedEngineVersion}
 * @param grid the expanded grid, if the caller has it already (it asked the store with its keys)
 */
export function buildPlan(
  spec: SweepSpec,
  resolved: ResolvedSweep,
  known: ReadonlyMap<CellKey, KnownCell>,
  grid: readonly GridCell[] = expandGrid(resolved),
): Plan {
  const foresight = foresee(resolved);
  const cells = grid.map((cell) => plannedCell(cell, resolved, known.get(cell.key), foresight));
  const shards = packShards(resolved, distinctCells(grid.filter((_, index) => cells[index]?.state === 'planned')));
  const excluded = excludedPoints(spec, resolved);
  return {
    sweep: id<SweepId>(spec.name),
    digest: planDigest(spec, resolved, grid),
    deviceClass: spec.deviceClass,
    dtype: resolved.dtype,
    engineVersion: plannedEngineVersion(resolved),
    arms: resolved.arms.map(({ arm }) => arm),
    tasks: resolved.tasks.map(({ task }) => task),
    cells,
    shards,
    excluded,
    counts: countCells(cells, excluded),
    cost: totalCost(shards.map((shard) => shard.cost)),
  };
}

function plannedCell(cell: GridCell, resolved: ResolvedSweep, known: KnownCell | undefined, foresight: Foresight): PlannedCell {
  const { arm: index, ...rest } = cell;
  const armId = resolved.arms[index]?.arm.id;
  if (armId === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no arm ${index}` });
  const refusal = known === undefined ? foresight(cell).refusal : null;
  if (refusal !== null) return { ...rest, armId, state: 'infeasible', reason: refusal.what, foreseen: refusal.code };
  return { ...rest, armId, state: known?.state ?? 'planned', ...(known?.reason != null && { reason: known.reason }) };
}

/** A missing checkpoint's method is known by its label alone: its cells are counted as those of a fixed table. */
const excludedPoints = (spec: SweepSpec, resolved: ResolvedSweep): ExcludedPoint[] =>
  resolved.missing.map((missing) => ({ ...missing, cells: spec.tasks.reduce((sum, task) => sum + cellsOfTask(task, spec, false), 0) }));

function countCells(cells: readonly PlannedCell[], excluded: readonly ExcludedPoint[]): CellCounts {
  const count = (has: (state: CellState) => boolean) => cells.reduce((sum, { state }) => sum + (has(state) ? 1 : 0), 0);
  return {
    total: cells.length,
    new: count((state) => state === 'planned'),
    cached: count(isMeasured),
    failed: count((state) => state === 'failed'),
    infeasible: count((state) => state === 'infeasible'),
    excluded: excluded.reduce((sum, point) => sum + point.cells, 0),
  };
}

/**
 * Identity of a revision: which cells, shown how, run how. Neither what the store knows nor where folders lie enters,
 * nor what changes no row (concurrency, limits, description).
 */
function planDigest(spec: SweepSpec, resolved: ResolvedSweep, grid: readonly GridCell[]): string {
  const cells = createHash('sha256');
  for (const cell of grid) cells.update(cell.key);
  return digest({
    sweep: spec.name,
    deviceClass: spec.deviceClass,
    dtype: resolved.dtype,
    engineVersion: plannedEngineVersion(resolved),
    mixFingerprints: spec.mixFingerprints,
    maximumAttempts: spec.maximumAttempts,
    arms: resolved.arms.map(({ arm }) => ({
      id: arm.id,
      label: arm.label,
      model: arm.model,
      continualPretrainContextTokens: arm.checkpoint.continualPretrainContextTokens,
    })),
    missing: resolved.missing.map(({ method, continualPretrainContextTokens }) => ({ method, continualPretrainContextTokens })),
    cells: cells.digest('hex'),
    // How a task is refined, where one is; what refinement found is no part of a plan.
    ...(spec.tasks.some(isRefined) && { refine: spec.tasks.map((task) => (isRefined(task) ? { ...task.refine } : null)) }),
  } satisfies Plain);
}
