/**
 * The grid: every cell of a resolved sweep with its key, in one order on every machine:
 * arm (as the spec lists them), task, contextTokens, then the task's axes, numbers ascending.
 */
import type { CellKey } from '../domain/ids.js';
import { tableAt, type NeedleAxes } from '../domain/plan.js';
import type { SweepSpec, TaskSpec } from '../domain/spec.js';
import type { TaskKind } from '../domain/task.js';
import { cellKeys, sharedIngredients } from './cellKey.js';
import type { ResolvedSweep } from './resolved.js';

export interface GridCell {
  readonly key: CellKey;
  /** Index into the resolved sweep's arms. */
  readonly arm: number;
  /** Index into the spec's tasks. */
  readonly task: number;
  readonly taskKind: TaskKind;
  readonly contextTokens: number;
  readonly axes: NeedleAxes;
}

const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

/** The axes each kind of task adds, every combination once. */
const AXES: { readonly [K in TaskKind]: (task: Extract<TaskSpec, { kind: K }>) => NeedleAxes[] } = {
  needle: (task) => ascending(task.depths).flatMap((depth) => ascending(task.seeds).map((seed) => ({ depth, seed }))),
};

export const taskAxes = (task: TaskSpec): NeedleAxes[] => AXES[task.kind](task);

/** Cells of one arm: what an excluded combination would have had. */
export const cellsPerArm = (spec: SweepSpec): number =>
  spec.contextTokens.length * spec.tasks.reduce((sum, task) => sum + task.depths.length * task.seeds.length, 0);

export function expandGrid(spec: SweepSpec, resolved: ResolvedSweep): GridCell[] {
  const lengths = ascending(spec.contextTokens);
  const axesOfTask = spec.tasks.map(taskAxes);
  const cells: GridCell[] = [];
  for (const [armIndex, { arm }] of resolved.arms.entries()) {
    for (const [taskIndex, task] of resolved.tasks.entries()) {
      const keyOf = cellKeys(sharedIngredients(arm, task, spec.dtype));
      for (const contextTokens of lengths) {
        const tableDigest = tableAt(arm, contextTokens).digest;
        for (const axes of axesOfTask[taskIndex] ?? []) {
          cells.push({
            key: keyOf({ tableDigest, contextTokens, axes }),
            arm: armIndex,
            task: taskIndex,
            taskKind: task.kind,
            contextTokens,
            axes,
          });
        }
      }
    }
  }
  return cells;
}
