/** Every convention against values worked out by hand. */
import { describe, expect, it } from 'vitest';
import {
  addLosses,
  bitsPerByte,
  countedTokens,
  documentWindows,
  firstTokens,
  lastTokens,
  perplexity,
  positionBuckets,
  tokensRead,
  type StoredLosses,
} from '../../domain/perplexity.js';

/** One window of 9 tokens: losses 1 to 8 (powers of two make every sum tell its parts), bytes 1 to 8. */
const one: StoredLosses = { nll: [1, 2, 4, 8, 16, 32, 64, 128], tokenBytes: [1, 2, 3, 4, 5, 6, 7, 8], windowTokens: 9, windowStarts: [0] };

describe('windows of a document', () => {
  it('first-L is one window of the context, its head included', () => {
    expect(documentWindows({ kind: 'first' }, 100, 1, 5000)).toEqual([{ start: 0, tokens: 100 }]);
  });

  it('disjoint windows stand side by side, each behind the head, the last as long as the document goes on', () => {
    // 21 own tokens behind 1 of head; windows of 8 hold 7 of them.
    expect(documentWindows({ kind: 'disjoint', maximumWindows: 16 }, 8, 1, 22)).toEqual([{ start: 0, tokens: 8 }, { start: 7, tokens: 8 }, { start: 14, tokens: 8 }]);
    expect(documentWindows({ kind: 'disjoint', maximumWindows: 16 }, 8, 1, 24)).toHaveLength(4);
    expect(documentWindows({ kind: 'disjoint', maximumWindows: 16 }, 8, 1, 24).at(-1)).toEqual({ start: 21, tokens: 3 });
    expect(documentWindows({ kind: 'disjoint', maximumWindows: 2 }, 8, 1, 24)).toHaveLength(2);
    expect(documentWindows({ kind: 'disjoint', maximumWindows: 3 }, 8, 1, null)).toHaveLength(3);
  });

  it('a last window of one token predicts nothing and is left out; behind a head it predicts one', () => {
    expect(documentWindows({ kind: 'disjoint', maximumWindows: 16 }, 8, 0, 17)).toHaveLength(2);
    expect(documentWindows({ kind: 'disjoint', maximumWindows: 16 }, 8, 1, 16)).toHaveLength(3);
  });

  it('sliding windows start every stride and stop when the document is read', () => {
    expect(documentWindows({ kind: 'sliding', strideTokens: 3, maximumWindows: 16 }, 8, 0, 15)).toEqual([
      { start: 0, tokens: 8 },
      { start: 3, tokens: 8 },
      { start: 6, tokens: 8 },
      { start: 9, tokens: 6 },
    ]);
    expect(documentWindows({ kind: 'sliding', strideTokens: 3, maximumWindows: 16 }, 8, 0, 8)).toHaveLength(1);
  });

  it('read the document up to the end of the last', () => {
    expect(tokensRead(documentWindows({ kind: 'disjoint', maximumWindows: 16 }, 8, 1, 22))).toBe(22);
    expect(tokensRead(documentWindows({ kind: 'sliding', strideTokens: 3, maximumWindows: 16 }, 8, 0, 15))).toBe(15);
    expect(tokensRead([{ start: 0, tokens: 100 }])).toBe(100);
  });
});

describe('conventions', () => {
  it('first-L sums the L - 1 losses of the first L tokens, for every L up to the stored one', () => {
    expect(firstTokens(one, 9)).toEqual({ sumNll: 255, tokenCount: 8, byteCount: 36 });
    expect(firstTokens(one, 4)).toEqual({ sumNll: 7, tokenCount: 3, byteCount: 6 });
    expect(firstTokens(one, 1)).toEqual({ sumNll: 0, tokenCount: 0, byteCount: 0 });
    expect(firstTokens(one, 10)).toBeNull();
  });

  it('last-k sums the last k losses of a context, or all if it has fewer', () => {
    expect(lastTokens(one, 9, 2)).toEqual({ sumNll: 64 + 128, tokenCount: 2, byteCount: 15 });
    expect(lastTokens(one, 5, 3)).toEqual({ sumNll: 2 + 4 + 8, tokenCount: 3, byteCount: 9 });
    expect(lastTokens(one, 3, 256)).toEqual({ sumNll: 3, tokenCount: 2, byteCount: 3 });
    expect(lastTokens(one, 10, 2)).toBeNull();
  });

  /** Windows of 5 at 0, 3 and 6 of a document of 10 tokens: tokens 1-4, 4-7 and 7-9 are predicted, by 4, 4 and 3 losses. */
  const sliding: StoredLosses = { nll: [1, 2, 4, 8, 100, 16, 32, 64, 100, 128, 256], tokenBytes: null, windowTokens: 5, windowStarts: [0, 3, 6] };

  it('sliding counts each token once, where it was first predicted', () => {
    // The second window counts tokens 5, 6, 7 and not 4; the last, which has 4 tokens, 8 and 9 and not 7.
    expect(countedTokens(sliding)).toEqual({ sumNll: 1 + 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256, tokenCount: 9, byteCount: null });
  });

  it('disjoint counts every loss: behind a head all tokens, without one all but the first of each window', () => {
    const withHead: StoredLosses = { nll: [1, 2, 4, 8, 16, 32, 64], tokenBytes: [1, 1, 1, 1, 1, 1, 1], windowTokens: 4, windowStarts: [0, 3, 6] };
    expect(countedTokens(withHead)).toEqual({ sumNll: 127, tokenCount: 7, byteCount: 7 });
    expect(countedTokens({ ...withHead, windowStarts: [0, 4, 8] })).toEqual({ sumNll: 127, tokenCount: 7, byteCount: 7 });
  });

  it('last-k of several windows takes each that is long enough', () => {
    expect(lastTokens(sliding, 5, 1)).toEqual({ sumNll: 8 + 64, tokenCount: 2, byteCount: null });
    expect(lastTokens(sliding, 4, 1)).toEqual({ sumNll: 4 + 32 + 256, tokenCount: 3, byteCount: null });
  });

  it('position buckets hold losses by the tokens before the predicted one', () => {
    expect(positionBuckets(one, null).map(({ from, to, losses }) => [from, to, losses.sumNll])).toEqual([
      [1, 2, 1],
      [2, 4, 2 + 4],
      [4, 8, 8 + 16 + 32 + 64],
      [8, 9, 128],
    ]);
    expect(positionBuckets(one, [3, 100]).map(({ from, to, losses }) => [from, to, losses.sumNll])).toEqual([
      [1, 3, 1 + 2],
      [3, 9, 4 + 8 + 16 + 32 + 64 + 128],
    ]);
    expect(positionBuckets(sliding, [3]).map(({ losses }) => losses.sumNll)).toEqual([1 + 2 + 100 + 16 + 100 + 128, 4 + 8 + 32 + 64 + 256]);
  });

  it('their buckets together are all losses, whatever the bounds', () => {
    for (const bounds of [null, [2], [2, 3, 7], [1, 9, 50]]) {
      expect(addLosses(positionBuckets(one, bounds).map(({ losses }) => losses))).toEqual(firstTokens(one, 9));
    }
  });
});

describe('figures', () => {
  it('perplexity is exp of the mean loss, weighted by token over documents of unlike length', () => {
    // A uniform guess among 8 has perplexity 8; one token more among 2: exp((3 ln 8 + ln 2) / 4).
    const uniform = { sumNll: 3 * Math.log(8), tokenCount: 3, byteCount: 9 };
    expect(perplexity(uniform)).toBeCloseTo(8, 12);
    const both = addLosses([uniform, { sumNll: Math.log(2), tokenCount: 1, byteCount: 1 }]);
    expect(both).toMatchObject({ tokenCount: 4, byteCount: 10 });
    expect(perplexity(both)).toBeCloseTo(2 ** 2.5, 12);
  });

  it('bits per byte are the bits of all losses over the bytes of all tokens', () => {
    // 3 tokens of 3 bits each over 9 bytes: 1 bit a byte.
    expect(bitsPerByte({ sumNll: 3 * Math.log(8), tokenCount: 3, byteCount: 9 })).toBeCloseTo(1, 12);
    expect(bitsPerByte(addLosses([{ sumNll: 1, tokenCount: 1, byteCount: null }, { sumNll: 1, tokenCount: 1, byteCount: 4 }]))).toBeNull();
  });

  it('of no token there is none', () => {
    expect(perplexity(addLosses([]))).toBeNull();
    expect(bitsPerByte(addLosses([]))).toBeNull();
  });
});
