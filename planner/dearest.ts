/**
 * The cells of a plan that take most: what to shorten first. Each is counted as if it were computed alone.
 */
import { groupBy } from '../domain/groupBy.js';
import type { ArmId, CellKey } from '../domain/ids.js';
import type { Plan, PlannedShard } from '../domain/plan.js';
import { cellsAt, cellsWhere, distinctCells, itemAt, type GridBlock } from './grid.js';
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
export function dearestCells(resolved: ResolvedSweep, grid: readonly GridBlock[], plan: Plan): DearCell[] {
  const computed = distinctCells(resolved, cellsWhere(grid, (_, position) => plan.cells[position]?.state === 'planned'));
  // Within an arm and task the longest are the dearest.
  const longest = [...groupBy(computed, ({ arm, task }) => `${arm}/${task}`).values()].flatMap((blocks) => firstCells(blocks.sort((a, b) => b.contextTokens - a.contextTokens)));
  const onLarger = keysOnLarger(plan.cells);
  return longest
    .flatMap((cell) => packForClasses(resolved, [cell], (key) => onLarger.has(key)).map((shard) => dearCell(cell, shard)))
    .sort((a, b) => b.flops - a.flops)
    .slice(0, DEAREST);
}

/** Each a block of its own. */
const firstCells = (blocks: readonly GridBlock[]): GridBlock[] =>
  blocks.slice(0, DEAREST).flatMap((block) => block.keys.slice(0, DEAREST).map((_, position) => cellsAt(block, [position]))).slice(0, DEAREST);

const dearCell = ({ keys, task, contextTokens, axes }: GridBlock, { armId, deviceClass, cost: { flops, kvBytes, peakBytes, resultBytes } }: PlannedShard): DearCell => ({
  key: itemAt(keys, 0), armId, task, contextTokens, axes: { ...axes[0] }, deviceClass, flops, kvBytes, peakBytes, resultBytes,
});
