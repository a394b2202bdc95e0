/** Criteria of needle tasks as reports name and find them. */
import type { SweepRows } from '../domain/rows.js';
import type { Criterion } from '../domain/taskSpec.js';

/** As figures and tables name them. */
export const CRITERION_WORDS: { readonly [C in Criterion]: string } = {
  exactMatch: 'exact match of the whole answer, greedy decoding',
  tokenRecall: 'share of the answer tokens, teacher-forced',
  stringRecall: 'share of the answers found in the generated text',
};

/** The criterion of a task; exact match for cells of a task that the current revision does not have. */
export function criterionOf({ tasks }: Pick<SweepRows, 'tasks'>, task: number): Criterion {
  const found = tasks[task];
  return found?.kind === 'needle' ? found.criterion : 'exactMatch';
}
