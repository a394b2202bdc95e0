/**
 * What a needle cell scores: a pure function of what its row keeps raw, so that a newer scorer (SCORER_VERSION) scores stored
 * rows again and nothing is evaluated anew.
 */
import type { NeedleNumbers } from './measurement.js';

export type RawAnswers = Pick<NeedleNumbers, 'answerIds' | 'top1Ids' | 'nll' | 'generatedText' | 'answers'>;
export type NeedleScores = Pick<NeedleNumbers, 'exactMatch' | 'tokenRecall' | 'stringRecall' | 'sumNll' | 'tokenCount'>;

/** The arrays have one entry an answer row. */
export function scoreNeedle({ answerIds, top1Ids, nll, generatedText, answers }: RawAnswers): NeedleScores {
  const rows = answerIds.length;
  const right = top1Ids.filter((id, row) => id === answerIds[row]).length;
  return {
    exactMatch: right === rows,
    tokenRecall: right / rows,
    stringRecall: generatedText === null || answers === null ? null : stringRecall(generatedText, answers),
    sumNll: nll.reduce((sum, value) => sum + value, 0),
    tokenCount: rows,
  };
}

/**
 * Share of the answers that stand in a generated text, whatever the case of letters: RULER's `string_match_all`
 * (Hsieh et al. 2024), as a fraction.
 *
 * @param answers at least one
 * @returns 0..1
 */
export function stringRecall(text: string, answers: readonly string[]): number {
  const generated = text.toLowerCase();
  return answers.filter((answer) => generated.includes(answer.toLowerCase())).length / answers.length;
}
