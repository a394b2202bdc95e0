import { describe, expect, it } from 'vitest';
import { scoreNeedle } from '../../domain/scoring.js';

describe('the scores of a needle cell', () => {
  const raw = { answerIds: [5, 6, 7, 8], top1Ids: [5, 6, 7, 8], nll: [0.5, 0.25, 0.125, 0.125], generatedText: null, answers: null };

  it('match exactly where every row does, and sum the losses in order', () => {
    expect(scoreNeedle(raw)).toEqual({ exactMatch: true, tokenRecall: 1, stringRecall: null, sumNll: 1, tokenCount: 4 });
  });

  it('recall the share of right tokens otherwise', () => {
    expect(scoreNeedle({ ...raw, top1Ids: [5, 0, 7, 0] })).toMatchObject({ exactMatch: false, tokenRecall: 0.5 });
  });

  it('find answers in the generated text whatever the case, and nothing where none was generated', () => {
    expect(scoreNeedle({ ...raw, generatedText: 'The KEY is blue', answers: ['key', 'red'] })).toMatchObject({ stringRecall: 0.5 });
    expect(scoreNeedle({ ...raw, answers: ['key'] })).toMatchObject({ stringRecall: null });
  });
});
