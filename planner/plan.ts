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
import { cellsWhere, distinctCells, itemAt, layGrid, type CellPlace, type GridBlock } from './grid.js';
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
 * @param grid the grid laid out, if the caller has it already (it asked the store with its keys)
 */
export function buildPlan(
  spec: SweepSpec,
  resolved: ResolvedSweep,
  known: ReadonlyMap<CellKey, KnownCell>,
  grid: readonly GridBlock[] = [...layGrid(resolved)],
): Plan {
  const fit = foreseeFit(resolved);
  const cells: PlannedCell[] = [];
  for (const block of grid) addCells(cells, block, resolved, known, fit);
  const onLarger = keysOnLarger(cells);
  const planned = cellsWhere(grid, (_, position) => cells[position]?.state === 'planned');
  const shards = packForClasses(resolved, distinctCells(resolved, planned), (key) => onLarger.has(key));
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

function addCells(cells: PlannedCell[], block: GridBlock, resolved: ResolvedSweep, known: ReadonlyMap<CellKey, KnownCell>, fitOf: (place: CellPlace, tooLarge: boolean) => Fit): void {
  const armId = resolved.arms[block.arm]?.arm.id;
  if (armId === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no arm ${block.arm}` });
  const fit = fitOf(block, false);
  const isSimple = fit.refusals.length === 0;
  const [own] = fit.refusals;
  block.keys.forEach((key, position) => {
    const cell = cellToCompute(block, position, key, armId);
    const found = known.get(key);
    if (found?.ifTooLarge === true && own?.code === 'OUT_OF_MEMORY') cells.push({ ...cell, state: found.state, reason: reasons(own.reason, found.reason), foreseen: [own] });
    else if (found === undefined || found.ifTooLarge === true) cells.push(isSimple ? cell : { ...cell, ...foreseen(fit, null) });
    else if (found.state === 'planned') cells.push({ ...cell, ...foreseen(fitOf(block, true), found.reason) });
    else cells.push({ ...cell, state: found.state, ...(found.reason !== null && { reason: found.reason }) });
  });
}

const reasons = (...texts: readonly (string | null)[]): string => texts.filter((text) => text !== null).join('; ');

/** Written out: of millions of cells, copies of all fields but one would take most of the time. */
function cellToCompute(block: GridBlock, position: number, key: CellKey, armId: ArmId): PlannedCell {
  const { task, contextTokens } = block;
  switch (block.taskKind) {
    case 'needle':
      return { key, armId, task, taskKind: block.taskKind, contextTokens, axes: itemAt(block.axes, position), state: 'planned' };
    case 'perplexity':
      return { key, armId, task, taskKind: block.taskKind, contextTokens, axes: itemAt(block.axes, position), state: 'planned' };
    case 'attention':
      return { key, armId, task, taskKind: block.taskKind, contextTokens, axes: itemAt(block.axes, position), state: 'planned' };
  }
}

/** What a cell has that does not fit everywhere. @param reason why it is not tried on the sweep's own class, as the store has it */
const foreseen = ({ device, refusals }: Fit, reason: string | null) => ({
  state: device === null ? 'infeasible' as const : 'planned' as const,
  reason: reasons(reason, ...refusals.map((refusal) => refusal.reason)),
  ...(refusals.length > 0 && { foreseen: refusals }),
  ...(device !== null && { onLarger: true as const }),
});

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
function planDigest(spec: SweepSpec, resolved: ResolvedSweep, grid: readonly GridBlock[]): string {
  const cells = createHash('sha256');
  for (const { keys } of grid) cells.update(keys.join(''));
  const described = [resolved.device, resolved.larger].flatMap((device) => (device !== null && Object.hasOwn(spec.deviceClasses, device.name) ? [{ name: device.name, memoryBytes: device.memoryBytes }] : []));
  return digest({
    sweep: spec.name,
    deviceClass: spec.deviceClass,
    ...(spec.largerDeviceClass !== undefined && { largerDeviceClass: spec.largerDeviceClass }),
    // What fits is foreseen by the memory that the spec gives them.
    ...(described.length > 0 && { described }),
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
