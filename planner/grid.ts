/**
 * The grid: every cell of a resolved sweep with its key, in one order on every machine:
 * arm (as the spec lists them), task, contextTokens, then the task's axes, numbers ascending.
 */
import type { CellKey } from '../domain/ids.js';
import { tableAt } from '../domain/plan.js';
import type { OfTask, TaskKind } from '../domain/task.js';
import { tableDependsOnLength } from '../rope/method.js';
import { cellKeys, sharedIngredients } from './cellKey.js';
import type { ResolvedArm, ResolvedSweep } from './resolved.js';
import { plannerOf, type PlannedTask, type PlannedTaskOf } from './tasks/registry.js';

interface GridCellCommon {
  readonly key: CellKey;
  /** Index into the resolved sweep's arms. */
  readonly arm: number;
  /** Index into the spec's tasks. */
  readonly task: number;
  readonly contextTokens: number;
}
export type GridCell = OfTask<GridCellCommon>;
export type GridCellOf<K extends TaskKind> = Extract<GridCell, { taskKind: K }>;

export function expandGrid(resolved: ResolvedSweep): GridCell[] {
  const cells: GridCell[] = [];
  for (const [index, arm] of resolved.arms.entries()) {
    // One by one: a task may have more cells than a call can take arguments.
    for (const task of resolved.tasks) for (const cell of cellsOf(resolved, arm, index, task)) cells.push(cell);
  }
  return cells;
}

function cellsOf(resolved: ResolvedSweep, arm: ResolvedArm, index: number, task: PlannedTask): GridCell[] {
  switch (task.kind) {
    case 'needle':
      return taskCells(resolved, arm, task).map((cell) => ({ ...cell, arm: index, taskKind: task.kind }));
    case 'perplexity':
      return taskCells(resolved, arm, task).map((cell) => ({ ...cell, arm: index, taskKind: task.kind }));
    case 'attention':
      return taskCells(resolved, arm, task).map((cell) => ({ ...cell, arm: index, taskKind: task.kind }));
  }
}

function taskCells<K extends TaskKind>(resolved: ResolvedSweep, { arm }: ResolvedArm, { kind, index, spec, task, contextTokens }: PlannedTaskOf<K>) {
  const keyOf = cellKeys(sharedIngredients(arm, kind, task, resolved));
  return plannerOf<K>(kind)
    .points(spec, task, contextTokens, tableDependsOnLength(arm.method))
    .map((point) => ({ key: keyOf({ tableDigest: tableAt(arm, point.contextTokens).digest, ...point }), task: index, ...point }));
}

/** Arms with equal tables at a length (dynamic-ntk within the trained context and plain RoPE) share cells: the first of each. */
export function distinctCells(grid: readonly GridCell[]): GridCell[] {
  const seen = new Set<CellKey>();
  return grid.filter(({ key }) => {
    const isFirst = !seen.has(key);
    seen.add(key);
    return isFirst;
  });
}
