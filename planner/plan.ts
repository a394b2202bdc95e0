/**
 * The plan: a pure function of spec, resolved sweep and what the store knows. Same spec, same store, same device class:
 * same plan, on any machine; cells and their keys depend on the spec alone.
 */
import { createHash } from 'node:crypto';
import { engineVersion, PROVIDER } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import { digest, type Plain } from '../domain/identity.js';
import { id, type CellKey, type SweepId } from '../domain/ids.js';
import type { CellCounts, ExcludedPoint, Plan, PlannedCell } from '../domain/plan.js';
import type { KnownCell } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import { isMeasured, type CellState } from '../domain/states.js';
import { totalCost } from './cost.js';
import { cellsPerArm, expandGrid, type GridCell } from './grid.js';
import type { ResolvedSweep } from './resolved.js';
import { packShards } from './shards.js';

/** The engine version that outcomes of this spec's device class belong to: what the store is asked with. */
export const plannedEngineVersion = (): string => engineVersion(PROVIDER);

/**
 * @param known what the store knows of the grid's keys, for the spec's device class and {@link plannedEngineVersion}
 * @param grid the expanded grid, if the caller has it already (it asked the store with its keys)
 */
export function buildPlan(
  spec: SweepSpec,
  resolved: ResolvedSweep,
  known: ReadonlyMap<CellKey, KnownCell>,
  grid: readonly GridCell[] = expandGrid(spec, resolved),
): Plan {
  const cells = grid.map((cell) => plannedCell(cell, resolved, known.get(cell.key)));
  const shards = packShards(spec, resolved, grid.filter((_, index) => cells[index]?.state === 'planned'));
  const excluded = excludedPoints(spec, resolved);
  return {
    sweep: id<SweepId>(spec.name),
    digest: planDigest(spec, resolved, grid),
    deviceClass: spec.deviceClass,
    engineVersion: plannedEngineVersion(),
    arms: resolved.arms.map(({ arm }) => arm),
    tasks: resolved.tasks,
    cells,
    shards,
    excluded,
    counts: countCells(cells, excluded),
    cost: totalCost(shards.map((shard) => shard.cost)),
  };
}

function plannedCell(cell: GridCell, resolved: ResolvedSweep, known: KnownCell | undefined): PlannedCell {
  const { key, task, taskKind, contextTokens, axes } = cell;
  const armId = resolved.arms[cell.arm]?.arm.id;
  if (armId === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no arm ${cell.arm}` });
  return {
    key,
    armId,
    task,
    taskKind,
    contextTokens,
    axes,
    state: known?.state ?? 'planned',
    ...(known?.reason != null && { reason: known.reason }),
  };
}

const excludedPoints = (spec: SweepSpec, resolved: ResolvedSweep): ExcludedPoint[] =>
  resolved.missing.map((missing) => ({ ...missing, cells: cellsPerArm(spec) }));

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
    engineVersion: plannedEngineVersion(),
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
  } satisfies Plain);
}
