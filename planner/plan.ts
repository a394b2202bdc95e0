/**
 * The plan: a pure function of spec, resolved sweep and what the store knows. Same spec, same store, same device class:
 * same plan, on any machine; cells and their keys depend on the spec alone.
 */
import { createHash } from 'node:crypto';
import { engineVersion } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import { digest, type Plain } from '../domain/identity.js';
import { id, type ArmId, type CellKey, type SweepId } from '../domain/ids.js';
import type { CellCounts, Excluded, Plan, PlanClasses, PlannedCell } from '../domain/plan.js';
import type { KnownCell } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import type { CellState } from '../domain/states.js';
import { totalCost } from './cost.js';
import { foreseeFit, type Fit } from './feasible.js';
import { distinctCells, expandGrid, type GridCell } from './grid.js';
import { isRefined } from './refineDesign.js';
import type { ResolvedSweep } from './resolved.js';
import { packForClasses } from './shards.js';

/** What outcomes of this sweep's cells belong to: what the store is asked with. */
export const plannedClasses = ({ device, larger }: Pick<ResolvedSweep, 'device' | 'larger'>): PlanClasses => ({
  deviceClass: device.name,
  largerDeviceClass: larger?.name ?? null,
  engineVersion: engineVersion(device.provider),
});

/**
 * @param known what the store knows of the grid's keys, for {@link plannedClasses}
 * @param grid the expanded grid, if the caller has it already (it asked the store with its keys)
 */
export function buildPlan(
  spec: SweepSpec,
  resolved: ResolvedSweep,
  known: ReadonlyMap<CellKey, KnownCell>,
  grid: readonly GridCell[] = expandGrid(resolved),
): Plan {
  const fit = foreseeFit(resolved);
  const cells = grid.map((cell) => plannedCell(cell, resolved, known.get(cell.key), fit));
  const onLarger = keysOnLarger(cells);
  const shards = packForClasses(resolved, distinctCells(resolved, grid.filter((_, index) => cells[index]?.state === 'planned')), ({ key }) => onLarger.has(key));
  const excluded = [...resolved.missing, ...resolved.leftOut];
  return {
    sweep: id<SweepId>(spec.name),
    digest: planDigest(spec, resolved, grid),
    ...plannedClasses(resolved),
    dtype: resolved.dtype,
    arms: resolved.arms.map(({ arm }) => arm),
    tasks: resolved.tasks.map(({ task }) => task),
    cells,
    shards,
    excluded,
    ...(resolved.notices.length > 0 && { notices: resolved.notices }),
    counts: countCells(cells, excluded),
    cost: totalCost(shards.map((shard) => shard.cost)),
  };
}

/** Cells of a plan that the larger device class computes. */
export function keysOnLarger(cells: readonly PlannedCell[]): ReadonlySet<CellKey> {
  const keys = new Set<CellKey>();
  for (const { key, onLarger } of cells) if (onLarger) keys.add(key);
  return keys;
}

function plannedCell(cell: GridCell, resolved: ResolvedSweep, known: KnownCell | undefined, fit: (cell: GridCell, tooLarge: boolean) => Fit): PlannedCell {
  const armId = resolved.arms[cell.arm]?.arm.id;
  if (armId === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no arm ${cell.arm}` });
  if (known !== undefined && known.state !== 'planned') {
    const ended = withState(cell, armId, known.state);
    return known.reason === null ? ended : { ...ended, reason: known.reason };
  }
  const { device, refusals } = fit(cell, known !== undefined);
  const planned = withState(cell, armId, device === null ? 'infeasible' : 'planned');
  if (known === undefined && refusals.length === 0) return planned;
  const reason = [known?.reason, ...refusals.map((refusal) => refusal.reason)].filter((text) => text != null).join('; ');
  return { ...planned, reason, ...(refusals.length > 0 && { foreseen: refusals }), ...(device !== null && { onLarger: true }) };
}

/** Written out: of millions of cells, copies of all fields but one would take most of the time. */
function withState(cell: GridCell, armId: ArmId, state: CellState): PlannedCell {
  const { key, task, contextTokens } = cell;
  switch (cell.taskKind) {
    case 'needle':
      return { key, armId, task, taskKind: cell.taskKind, contextTokens, axes: cell.axes, state };
    case 'perplexity':
      return { key, armId, task, taskKind: cell.taskKind, contextTokens, axes: cell.axes, state };
    case 'attention':
      return { key, armId, task, taskKind: cell.taskKind, contextTokens, axes: cell.axes, state };
  }
}

function countCells(cells: readonly PlannedCell[], excluded: readonly Excluded[]): CellCounts {
  const counts: Record<CellState, number> = { planned: 0, measured: 0, diverged: 0, infeasible: 0, failed: 0 };
  for (const { state } of cells) counts[state] += 1;
  return {
    total: cells.length,
    new: counts.planned,
    cached: counts.measured + counts.diverged,
    failed: counts.failed,
    infeasible: counts.infeasible,
    excluded: excluded.reduce((sum, point) => sum + point.cells, 0),
  };
}

/**
 * Identity of a revision: which cells, shown how, run how. Neither what the store knows nor where folders lie enters,
 * nor what changes no row (concurrency, limits, description).
 */
function planDigest(spec: SweepSpec, resolved: ResolvedSweep, grid: readonly GridCell[]): string {
  const cells = createHash('sha256');
  for (const some of chunks(grid)) cells.update(some.map(({ key }) => key).join(''));
  return digest({
    sweep: spec.name,
    deviceClass: spec.deviceClass,
    ...(spec.largerDeviceClass !== undefined && { largerDeviceClass: spec.largerDeviceClass }),
    dtype: resolved.dtype,
    engineVersion: plannedClasses(resolved).engineVersion,
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

const CHUNK = 1_000;

function* chunks<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let start = 0; start < items.length; start += CHUNK) yield items.slice(start, start + CHUNK);
}
