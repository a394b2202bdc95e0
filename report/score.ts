/** What a needle cell scores under its task's criterion: 0..1. */
import type { NeedleNumbers } from '../domain/measurement.js';
import type { SweepRows } from '../domain/rows.js';
import type { Criterion } from '../domain/taskSpec.js';

const SCORES: { readonly [C in Criterion]: (numbers: NeedleNumbers) => number } = {
  exactMatch: ({ exactMatch }) => (exactMatch ? 1 : 0),
  tokenRecall: ({ tokenRecall }) => tokenRecall,
  // A cell that generated no text retrieved no string.
  stringRecall: ({ stringRecall }) => stringRecall ?? 0,
};

/** As figures and tables name them. */
export const CRITERION_WORDS: { readonly [C in Criterion]: string } = {
  exactMatch: 'exact match of the whole answer, greedy decoding',
  tokenRecall: 'share of the answer tokens, teacher-forced',
  stringRecall: 'share of the answers found in the generated text',
};

export const score = (criterion: Criterion, numbers: NeedleNumbers): number => SCORES[criterion](numbers);

/** The criterion of a task; exact match for cells of a task that the current revision does not have. */
export function criterionOf({ tasks }: Pick<SweepRows, 'tasks'>, task: number): Criterion {
  const found = tasks[task];
  return found?.kind === 'needle' ? found.criterion : 'exactMatch';
}
