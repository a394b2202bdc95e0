/** What a needle cell scores under its task's criterion: 0..1. */
import type { NeedleNumbers } from './measurement.js';
import type { Criterion } from './taskSpec.js';

/** What a score is taken of. */
export type ScoredNumbers = Pick<NeedleNumbers, 'exactMatch' | 'tokenRecall' | 'stringRecall'>;

const SCORES: { readonly [C in Criterion]: (numbers: ScoredNumbers) => number } = {
  exactMatch: ({ exactMatch }) => (exactMatch ? 1 : 0),
  tokenRecall: ({ tokenRecall }) => tokenRecall,
  // A cell that generated no text retrieved no string.
  stringRecall: ({ stringRecall }) => stringRecall ?? 0,
};

export const score = (criterion: Criterion, numbers: ScoredNumbers): number => SCORES[criterion](numbers);
