/**
 * The kinds of tasks by name: a total registry, so that the compiler names what a new kind still lacks.
 */
import { axisValues } from '../../domain/axis.js';
import type { SweepSpec } from '../../domain/spec.js';
import type { AxesOf, ResolvedTaskOf, TaskKind } from '../../domain/task.js';
import type { TaskSpec, TaskSpecOf } from '../../domain/taskSpec.js';
import { attention } from './attention.js';
import type { GridTask } from '../selection.js';
import { needle } from './needle.js';
import { perplexity } from './perplexity.js';
import { ascending, type TaskPlanner, type TaskShape } from './taskPlanner.js';

const PLANNERS: { readonly [K in TaskKind]: TaskPlanner<K> } = { needle, perplexity, attention };

export const plannerOf = <K extends TaskKind>(kind: K): TaskPlanner<K> => PLANNERS[kind];

/** A task of the spec with what became of it for one model, of one kind. */
export interface PlannedTaskOf<K extends TaskKind> {
  readonly kind: K;
  /** Index into the plan's tasks. */
  readonly index: number;
  /** Position of its model. */
  readonly model: number;
  /** Its cells. */
  readonly grid: GridTask<K>;
  readonly spec: TaskSpecOf<K>;
  readonly task: ResolvedTaskOf<K>;
  readonly shape: TaskShape<K>;
}
export type PlannedTask = { [K in TaskKind]: PlannedTaskOf<K> }[TaskKind];

/** The context lengths of a task in the grid: its own, or the sweep's; ascending. */
export const taskContexts = (task: TaskSpec, sweep: SweepSpec['contextTokens']): number[] => ascending(axisValues(task.contextTokens ?? sweep));

/** The cells of a task, as far as the spec tells them: its documents are only counted. */
export function gridTaskOf(task: TaskSpec, index: number, sweep: Pick<SweepSpec, 'contextTokens'>): GridTask<TaskKind> {
  const contextTokens = taskContexts(task, sweep.contextTokens);
  switch (task.kind) {
    case 'needle':
      return gridTask(task, index, contextTokens, null);
    case 'perplexity':
      return gridTask(task, index, contextTokens, null);
    case 'attention':
      return gridTask(task, index, contextTokens, null);
  }
}

/** @param task null until its documents are known */
export function gridTask<K extends TaskKind>(spec: TaskSpecOf<K>, index: number, contextTokens: readonly number[], task: ResolvedTaskOf<K> | null): GridTask<K> {
  const kind = spec.kind;
  const planner = plannerOf(kind);
  let axes: readonly AxesOf[K][] | undefined;
  return {
    index,
    kind,
    spec,
    contextTokens,
    // The same objects for all arms: millions of cells name them.
    axes: (point) => (point === undefined ? (axes ??= planner.axes(spec, task)) : planner.axes(spec, task, point)),
    axesCount: (point) => planner.axesCount(spec, point),
    cellLengths: (lengths, tableDependsOnLength) => planner.cellLengths(spec, lengths, tableDependsOnLength),
  };
}
