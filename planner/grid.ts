/**
 * The grid: every cell of a resolved sweep with its key, in one order on every machine:
 * arm (as the spec lists them: model, method, continual-pretrain length), task, contextTokens, then the task's axes, numbers ascending.
 */
import type { CellKey } from '../domain/ids.js';
import { tableAt } from '../domain/plan.js';
import type { OfTask, TaskKind } from '../domain/task.js';
import { tableDependsOnLength } from '../rope/method.js';
import { cellKeys, sharedIngredients } from './cellKey.js';
import type { ResolvedArm, ResolvedSweep } from './resolved.js';
import type { PlannedTask, PlannedTaskOf } from './tasks/registry.js';

interface GridCellCommon {
  readonly key: CellKey;
  /** Index into the resolved sweep's arms. */
  readonly arm: number;
  /** Index into the plan's tasks. */
  readonly task: number;
  readonly contextTokens: number;
}
export type GridCell = OfTask<GridCellCommon>;
export type GridCellOf<K extends TaskKind> = Extract<GridCell, { taskKind: K }>;

export function expandGrid(resolved: ResolvedSweep): GridCell[] {
  const cells: GridCell[] = [];
  for (const [index, arm] of resolved.arms.entries()) {
    for (const task of resolved.tasks) if (task.model === arm.point.modelPosition) addCells(cells, resolved, arm, index, task);
  }
  return cells;
}

function addCells(cells: GridCell[], resolved: ResolvedSweep, arm: ResolvedArm, index: number, task: PlannedTask): void {
  switch (task.kind) {
    case 'needle':
      for (const { keyOf, contextTokens, all } of lengthsOf(resolved, arm, task)) for (const axes of all) cells.push({ key: keyOf(axes), arm: index, task: task.index, taskKind: task.kind, contextTokens, axes });
      break;
    case 'perplexity':
      for (const { keyOf, contextTokens, all } of lengthsOf(resolved, arm, task)) for (const axes of all) cells.push({ key: keyOf(axes), arm: index, task: task.index, taskKind: task.kind, contextTokens, axes });
      break;
    case 'attention':
      for (const { keyOf, contextTokens, all } of lengthsOf(resolved, arm, task)) for (const axes of all) cells.push({ key: keyOf(axes), arm: index, task: task.index, taskKind: task.kind, contextTokens, axes });
  }
}

function lengthsOf<K extends TaskKind>(resolved: ResolvedSweep, { arm, point }: ResolvedArm, { kind, grid, task }: PlannedTaskOf<K>) {
  const keyAt = cellKeys(sharedIngredients(arm, kind, task, resolved));
  const cells = resolved.selection.lay(point, grid, tableDependsOnLength(arm.method));
  return [...cells].map(([contextTokens, all]) => ({ keyOf: keyAt(tableAt(arm, contextTokens).digest, contextTokens), contextTokens, all }));
}

/**
 * Arms with equal tables at a length (dynamic-ntk within the trained context and plain RoPE) share cells: the first of each.
 * Only arms that have a checkpoint and a table in common are looked at.
 */
export function distinctCells(resolved: ResolvedSweep, grid: readonly GridCell[]): GridCell[] {
  const tables = resolved.arms.map(({ arm }) => new Set(Object.values(arm.tables).map((table) => `${arm.checkpoint.weightsId}/${table.digest}`)));
  const mayShare = tables.map((own, index) => tables.some((others, other) => other !== index && [...own].some((table) => others.has(table))));
  const seen = new Set<CellKey>();
  return grid.filter(({ key, arm }) => {
    if (mayShare[arm] === false) return true;
    const isFirst = !seen.has(key);
    seen.add(key);
    return isFirst;
  });
}
