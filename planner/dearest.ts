/**
 * The cells of a plan that take most: what to shorten first. Each is counted as if it were computed alone.
 */
import { groupBy } from '../domain/groupBy.js';
import type { ArmId, CellKey } from '../domain/ids.js';
import type { Plan, PlannedShard } from '../domain/plan.js';
import { distinctCells, type GridCell } from './grid.js';
import type { ResolvedSweep } from './resolved.js';
import { keysOnLarger } from './plan.js';
import { packForClasses } from './shards.js';

export interface DearCell {
  readonly key: CellKey;
  readonly armId: ArmId;
  readonly task: number;
  readonly contextTokens: number;
  readonly axes: Readonly<Record<string, number | string>>;
  /** What computes it. */
  readonly deviceClass: string;
  readonly flops: number;
  readonly kvBytes: number;
  readonly peakBytes: number;
  readonly resultBytes: number;
}

const DEAREST = 10;

/** Those of the cells that would be computed, the dearest first, else in the order of the grid. */
export function dearestCells(resolved: ResolvedSweep, grid: readonly GridCell[], plan: Plan): DearCell[] {
  const computed = distinctCells(resolved, grid.filter((_, index) => plan.cells[index]?.state === 'planned'));
  // Within an arm and task the longest are the dearest.
  const longest = [...groupBy(computed, ({ arm, task }) => `${arm}/${task}`).values()].flatMap((cells) => cells.sort((a, b) => b.contextTokens - a.contextTokens).slice(0, DEAREST));
  const onLarger = keysOnLarger(plan.cells);
  return longest
    .flatMap((cell) => packForClasses(resolved, [cell], ({ key }) => onLarger.has(key)).map((shard) => dearCell(cell, shard)))
    .sort((a, b) => b.flops - a.flops)
    .slice(0, DEAREST);
}

const dearCell = ({ key, task, contextTokens, axes }: GridCell, { armId, deviceClass, cost: { flops, kvBytes, peakBytes, resultBytes } }: PlannedShard): DearCell => ({
  key, armId, task, contextTokens, axes: { ...axes }, deviceClass, flops, kvBytes, peakBytes, resultBytes,
});
