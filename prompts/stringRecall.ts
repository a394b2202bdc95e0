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
