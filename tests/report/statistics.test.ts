import { describe, expect, it } from 'vitest';
import { wilsonInterval } from '../../domain/wilson.js';
import { entropySplits, splitNearest, type EntropyCell } from '../../report/statistics/entropySplit.js';
import { reachOf, type ContextRecall } from '../../report/statistics/reach.js';

describe('the Wilson interval', () => {
  // R. G. Newcombe, Statistics in Medicine 17 (1998) 857-872, table I, method 3 (score, no continuity correction).
  const PUBLISHED = [
    { passed: 81, n: 263, low: 0.2553, high: 0.3662 },
    { passed: 15, n: 148, low: 0.0624, high: 0.1605 },
    { passed: 0, n: 20, low: 0, high: 0.1611 },
    { passed: 1, n: 29, low: 0.0061, high: 0.1718 },
  ];

  it('gives the published values', () => {
    const differences = PUBLISHED.flatMap(({ passed, n, low, high }) => {
      const interval = wilsonInterval(passed, n);
      return [Math.abs(interval.low - low), Math.abs(interval.high - high)];
    });
    console.log(`largest difference from Newcombe's table: ${Math.max(...differences).toExponential(2)}`);
    expect(Math.max(...differences)).toBeLessThan(5e-5);
  });

  it('ends exactly at 0 and 1, with z^2 / (n + z^2) at the other end', () => {
    // 3.841459 is the 95 % point of chi-squared with one degree of freedom.
    expect(wilsonInterval(0, 10)).toEqual({ low: 0, high: expect.closeTo(3.841459 / 13.841459, 6) as number });
    expect(wilsonInterval(10, 10)).toEqual({ low: expect.closeTo(10 / 13.841459, 6) as number, high: 1 });
  });

  it('mirrors passes and failures', () => {
    const [seven, three] = [wilsonInterval(7, 10), wilsonInterval(3, 10)];
    expect(seven.low).toBeCloseTo(1 - three.high, 12);
    expect(seven.high).toBeCloseTo(1 - three.low, 12);
  });

  it('takes scores that are shares: between those of the whole numbers around their sum', () => {
    const [less, between, more] = [wilsonInterval(9, 10), wilsonInterval(9.5, 10), wilsonInterval(10, 10)];
    expect(between.low).toBeGreaterThan(less.low);
    expect(between.low).toBeLessThan(more.low);
    expect(between.high).toBeGreaterThan(less.high);
  });

  it.each([[-1, 3], [4, 3], [0, 0], [1, 2.5], [NaN, 2]])('refuses %d of %d', (passed, n) => {
    expect(() => wilsonInterval(passed, n)).toThrow(RangeError);
  });
});

describe('reach', () => {
  const recall = (contextTokens: number, passed: number, n: number, missing = 0): ContextRecall => ({ contextTokens, passed, n, missing });

  it('is the largest context such that it and every smaller one have recall of 90 % or more', () => {
    const reach = reachOf([recall(512, 10, 10), recall(128, 10, 10), recall(1024, 8, 10), recall(256, 9, 10), recall(2048, 10, 10)]);
    expect(reach).toMatchObject({ contextTokens: 512, passed: 10, n: 10, recall: 1, isLongestTested: false, isComplete: true });
    expect(reach?.interval.low).toBeCloseTo(0.7225, 4);
  });

  it('counts 9 of 10 and 27 of 30 as 90 %', () => {
    expect(reachOf([recall(128, 9, 10), recall(256, 27, 30)])?.contextTokens).toBe(256);
    expect(reachOf([recall(128, 9, 10), recall(256, 26, 30)])?.contextTokens).toBe(128);
  });

  it('is none where the smallest tested context fails or nothing is tested', () => {
    expect(reachOf([recall(128, 8, 10), recall(256, 10, 10)])).toBeNull();
    expect(reachOf([recall(128, 0, 0, 10)])).toBeNull();
    expect(reachOf([])).toBeNull();
  });

  it('says when nothing longer was tested', () => {
    expect(reachOf([recall(128, 10, 10)])?.isLongestTested).toBe(true);
  });

  it('skips an untested context and says that cells are missing', () => {
    expect(reachOf([recall(128, 10, 10), recall(256, 0, 0, 10), recall(512, 10, 10)])).toMatchObject({ contextTokens: 512, isComplete: false });
  });

  it('is complete where only cells beyond the first failing context are missing', () => {
    expect(reachOf([recall(128, 10, 10), recall(256, 2, 10), recall(512, 0, 0, 10)])).toMatchObject({ contextTokens: 128, isComplete: true });
  });
});

describe('entropy of passing and failing cells', () => {
  const cell = (contextTokens: number, passed: boolean, entropy: number | null, entropyFirst = 9): EntropyCell => ({ contextTokens, passed, entropy, entropyFirst });

  it('is compared only at lengths that have both', () => {
    const splits = entropySplits([cell(128, true, 1), cell(256, true, 1), cell(256, true, 2), cell(256, false, 4), cell(512, false, 5)]);
    expect(splits).toEqual([
      {
        contextTokens: 256,
        source: 'entropy',
        passing: { mean: 1.5, n: 2, source: 'entropy' },
        failing: { mean: 4, n: 1, source: 'entropy' },
      },
    ]);
  });

  it('takes the first answer row for every cell of a length where one has no other', () => {
    const [split] = entropySplits([cell(256, true, 1, 1.25), cell(256, false, null, 3.5)]);
    expect(split).toMatchObject({ source: 'entropyFirst', passing: { mean: 1.25 }, failing: { mean: 3.5 } });
  });

  it('is shown at the length nearest to the frontier by ratio, the shorter of two equally near', () => {
    const at = (contextTokens: number) => entropySplits([cell(contextTokens, true, 1), cell(contextTokens, false, 2)]);
    expect(splitNearest([...at(128), ...at(1024)], 512)?.contextTokens).toBe(1024);
    expect(splitNearest([...at(256), ...at(1024)], 512)?.contextTokens).toBe(256);
    expect(splitNearest([], 512)).toBeNull();
  });
});
