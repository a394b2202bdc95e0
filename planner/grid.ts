/**
 * The grid: every cell of a resolved sweep with its key, in one order on every machine:
 * arm (as the spec lists them: model, method, continual-pretrain length), task, contextTokens, then the task's axes, numbers ascending.
 *
 * Cells come in blocks, one an arm, task and context length: of a million cells only keys are laid out, and arms of a task
 * share their axes.
 */
import { RopesweepError } from '../domain/errors.js';
import type { CellKey } from '../domain/ids.js';
import { tableAt } from '../domain/plan.js';
import type { AxesOf, TaskKind } from '../domain/task.js';
import { tableDependsOnLength } from '../rope/method.js';
import { cellKeys, sharedIngredients } from './cellKey.js';
import type { ResolvedArm, ResolvedSweep } from './resolved.js';
import type { PlannedTask, PlannedTaskOf } from './tasks/registry.js';

/** What cells have in common that cost the same memory. */
export interface CellPlace {
  /** Index into the resolved sweep's arms. */
  readonly arm: number;
  /** Index into the plan's tasks. */
  readonly task: number;
  readonly contextTokens: number;
}

/** Cells of one arm, task and context length. */
export interface GridBlockOf<K extends TaskKind> extends CellPlace {
  readonly taskKind: K;
  /** As many as keys. */
  readonly axes: readonly AxesOf[K][];
  readonly keys: readonly CellKey[];
}
export type GridBlock = { [K in TaskKind]: GridBlockOf<K> }[TaskKind];

/** One block after the other; its keys are hashed when it is asked for, which is most of what a plan costs. */
export function* layGrid(resolved: ResolvedSweep): Generator<GridBlock> {
  for (const [index, arm] of resolved.arms.entries()) {
    for (const task of resolved.tasks) if (task.model === arm.point.modelPosition) yield* blocksOf(resolved, arm, index, task);
  }
}

function blocksOf(resolved: ResolvedSweep, arm: ResolvedArm, index: number, task: PlannedTask): Iterable<GridBlock> {
  switch (task.kind) {
    case 'needle':
      return blocksOfTask(resolved, arm, index, task);
    case 'perplexity':
      return blocksOfTask(resolved, arm, index, task);
    case 'attention':
      return blocksOfTask(resolved, arm, index, task);
  }
}

function* blocksOfTask<K extends TaskKind>(resolved: ResolvedSweep, { arm, point }: ResolvedArm, index: number, { index: task, kind, grid, task: resolvedTask }: PlannedTaskOf<K>): Generator<GridBlockOf<K>> {
  const keysAt = cellKeys(sharedIngredients(arm, kind, resolvedTask, resolved));
  for (const [contextTokens, axes] of resolved.selection.lay(point, grid, tableDependsOnLength(arm.method))) {
    yield { arm: index, task, taskKind: kind, contextTokens, axes, keys: keysAt(tableAt(arm, contextTokens).digest, contextTokens, axes) };
  }
}

export const cellsIn = (blocks: readonly GridBlock[]): number => blocks.reduce((sum, { keys }) => sum + keys.length, 0);

/** Some of a block's cells. */
export function cellsAt(block: GridBlock, positions: readonly number[]): GridBlock {
  const keys = at(block.keys, positions);
  switch (block.taskKind) {
    case 'needle':
      return { ...block, keys, axes: at(block.axes, positions) };
    case 'perplexity':
      return { ...block, keys, axes: at(block.axes, positions) };
    case 'attention':
      return { ...block, keys, axes: at(block.axes, positions) };
  }
}

const at = <Item>(items: readonly Item[], positions: readonly number[]): Item[] => positions.map((position) => itemAt(items, position));

/** Of a block's axes or keys. */
export function itemAt<Item>(items: readonly Item[], position: number): Item {
  const item = items[position];
  if (item === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `a block of ${items.length} cells has none at ${position}` });
  return item;
}

/** Those cells that are wanted; a block that keeps all of its cells stays as it is. @param isWanted is asked with a cell's key and its position among all */
export function cellsWhere(blocks: readonly GridBlock[], isWanted: (key: CellKey, position: number) => boolean): GridBlock[] {
  let start = 0;
  return blocks.flatMap((block) => {
    const positions: number[] = [];
    for (const [position, key] of block.keys.entries()) if (isWanted(key, start + position)) positions.push(position);
    start += block.keys.length;
    if (positions.length === block.keys.length) return [block];
    return positions.length === 0 ? [] : [cellsAt(block, positions)];
  });
}

/**
 * Arms with equal tables at a length (dynamic-ntk within the trained context and plain RoPE) share cells: the first of each.
 * Only arms that have a checkpoint and a table in common are looked at.
 */
export function distinctCells(resolved: ResolvedSweep, blocks: readonly GridBlock[]): GridBlock[] {
  const tables = resolved.arms.map(({ arm }) => new Set(Object.values(arm.tables).map((table) => `${arm.checkpoint.weightsId}/${table.digest}`)));
  const mayShare = tables.map((own, index) => tables.some((others, other) => other !== index && [...own].some((table) => others.has(table))));
  const seen = new Set<CellKey>();
  const isFirst = (key: CellKey): boolean => {
    const first = !seen.has(key);
    seen.add(key);
    return first;
  };
  return blocks.flatMap((block) => (mayShare[block.arm] === false ? [block] : cellsWhere([block], isFirst)));
}
