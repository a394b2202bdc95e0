/** Criteria of needle tasks as reports find them. */
import type { SweepHead } from '../domain/rows.js';
import type { Criterion } from '../domain/taskSpec.js';

/** The criterion of a task; exact match for cells of a task that the current revision does not have. */
export function criterionOf({ tasks }: Pick<SweepHead, 'tasks'>, task: number): Criterion {
  const found = tasks[task];
  return found?.kind === 'needle' ? found.criterion : 'exactMatch';
}
