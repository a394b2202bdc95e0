/**
 * The kinds of tasks by name: a total registry, so that the compiler names what a new kind still lacks.
 */
import type { SweepSpec } from '../../domain/spec.js';
import type { ResolvedTaskOf, TaskKind } from '../../domain/task.js';
import type { TaskSpec, TaskSpecOf } from '../../domain/taskSpec.js';
import { attention } from './attention.js';
import { needle } from './needle.js';
import { perplexity } from './perplexity.js';
import type { TaskPlanner, TaskShape } from './taskPlanner.js';

const PLANNERS: { readonly [K in TaskKind]: TaskPlanner<K> } = { needle, perplexity, attention };

export const plannerOf = <K extends TaskKind>(kind: K): TaskPlanner<K> => PLANNERS[kind];

/** A task of the spec with what became of it, of one kind. */
export interface PlannedTaskOf<K extends TaskKind> {
  readonly kind: K;
  /** Index into the spec's tasks. */
  readonly index: number;
  readonly spec: TaskSpecOf<K>;
  readonly task: ResolvedTaskOf<K>;
  readonly shape: TaskShape<K>;
  /** Ascending. */
  readonly contextTokens: readonly number[];
}
export type PlannedTask = { [K in TaskKind]: PlannedTaskOf<K> }[TaskKind];

/** The context lengths of a task: its own, or the sweep's; ascending. */
export const taskContexts = (task: TaskSpec, sweep: readonly number[]): number[] => [...new Set(task.contextTokens ?? sweep)].sort((a, b) => a - b);

/** Cells that a task gives one arm, counted from the spec alone. */
export function cellsOfTask(task: TaskSpec, sweep: Pick<SweepSpec, 'contextTokens'>, dependsOnLength: boolean): number {
  const contextTokens = taskContexts(task, sweep.contextTokens);
  switch (task.kind) {
    case 'needle':
      return plannerOf(task.kind).count(task, contextTokens, dependsOnLength);
    case 'perplexity':
      return plannerOf(task.kind).count(task, contextTokens, dependsOnLength);
    case 'attention':
      return plannerOf(task.kind).count(task, contextTokens, dependsOnLength);
  }
}
