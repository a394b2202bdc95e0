import { wilcoxonRankSum } from 'simple-statistics';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../domain/random.js';
import { auroc, type Outcome } from '../../report/statistics/auroc.js';
import { holm } from '../../report/statistics/holm.js';
import { midranks } from '../../report/statistics/midranks.js';
import { rankCorrelation } from '../../report/statistics/rankCorrelation.js';
import { seedBootstrap } from '../../report/statistics/seedBootstrap.js';
import { exchangeableSeeds, seedsOf, type SeedCell } from '../../report/statistics/seedCells.js';
import { seedPermutation } from '../../report/statistics/seedPermutation.js';
import { weightedAuroc } from '../../report/statistics/weightedAuroc.js';

const of = (stratum: string, failing: readonly number[], passing: readonly number[]): Outcome[] => [
  ...failing.map((value) => ({ stratum, failed: true, value })),
  ...passing.map((value) => ({ stratum, failed: false, value })),
];
const repeated = (counts: readonly number[]): number[] => counts.flatMap((count, at) => new Array<number>(count).fill(at + 1));

describe('mid-ranks', () => {
  it('share the mean of the ranks that ties take together', () => expect(Array.from(midranks([3, 1, 3, 2, 3]))).toEqual([4, 1, 4, 2, 4]));
  it('are none of no values', () => expect(Array.from(midranks([]))).toEqual([]));
});

describe('the AUROC', () => {
  // Hanley and McNeil, Radiology 143 (1982), table I: ratings 1 to 5 of 58 normal and 51 abnormal images; 0.893 in their text.
  const [normal, abnormal] = [repeated([33, 6, 6, 11, 2]), repeated([3, 2, 2, 11, 33])];

  it('gives the published value of rated images, ties counted one half', () => {
    const { auroc: area, pairs } = auroc(of('all', abnormal, normal));
    expect(pairs).toBe(58 * 51);
    expect(area).toBeCloseTo(0.893, 3);
  });

  it('is the rank sum of the library, rescaled', () => {
    const rankSum = wilcoxonRankSum(abnormal, normal);
    expect(auroc(of('all', abnormal, normal)).auroc).toBeCloseTo((rankSum - (51 * 52) / 2) / (58 * 51), 12);
  });

  it('compares within strata only: two that point up each give 1, though together they point down', () => {
    const cells = [...of('short', [2], [1, 1, 1]), ...of('long', [10, 10, 10], [9])];
    expect(auroc(cells)).toEqual({ failures: 4, passes: 4, pairs: 6, auroc: 1 });
    const mixed = [...of('short', [2, 2, 2], [1]), ...of('long', [10], [9, 9, 9])];
    expect(auroc(mixed).auroc).toBe(1);
    expect(auroc(mixed.map((cell) => ({ ...cell, stratum: 'one' }))).auroc).toBe((3 + 4) / 16);
  });

  it('leaves out strata of one outcome, and is null where no pair is left', () => {
    expect(auroc([...of('a', [5], []), ...of('b', [], [1, 2])])).toEqual({ failures: 0, passes: 0, pairs: 0, auroc: null });
    expect(auroc([...of('a', [5], []), ...of('b', [3], [1, 2])])).toMatchObject({ failures: 1, passes: 2, pairs: 2, auroc: 1 });
  });
});

describe('Holm', () => {
  it('gives the values of R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")', () => {
    expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(10)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  });
  it('never exceeds 1 and leaves one test as it is', () => {
    expect(holm([0.6, 0.7])).toEqual([1, 1]);
    expect(holm([0.04])).toEqual([0.04]);
    expect(holm([])).toEqual([]);
  });
});

describe("Spearman's rank correlation", () => {
  it('gives the hand-computed value without ties: 1 - 6 sum d^2 / n (n^2 - 1)', () => {
    // d = 0, 1, -1, 0, 0 -> 1 - 12 / 120
    expect(rankCorrelation([10, 20, 30, 40, 50], [1, 3, 2, 4, 5])).toBeCloseTo(0.9, 12);
  });
  it('is null where nothing varies', () => {
    expect(rankCorrelation([1, 2, 3], [5, 5, 5])).toBeNull();
    expect(rankCorrelation([1], [2])).toBeNull();
  });
});

/** One position; seeds 1, 2, ... */
const cellsAt = (contextTokens: number, outcomes: readonly (readonly [failed: boolean, value: number])[]): SeedCell[] =>
  outcomes.map(([failed, value], index) => ({ contextTokens, depth: 0, seed: index + 1, failed, value }));
const all = (): string => 'all';

describe('the permutation test by seed', () => {
  it('gives the exact p of three failing above three passing cells: 2 x 1/20', () => {
    const cells = cellsAt(128, [[true, 6], [true, 5], [true, 4], [false, 3], [false, 2], [false, 1]]);
    const [p] = seedPermutation(cells, [all], 19_999, randomStream('test', 1));
    expect(p).toBeCloseTo(0.1, 2);
  });

  it('is two-sided: failing cells below passing ones have the same p', () => {
    const up = cellsAt(128, [[true, 6], [true, 5], [true, 4], [false, 3], [false, 2], [false, 1]]);
    const down = up.map((cell) => ({ ...cell, value: -cell.value }));
    expect(seedPermutation(down, [all], 999, randomStream('test', 1))).toEqual(seedPermutation(up, [all], 999, randomStream('test', 1)));
  });

  it('counts a seed once however many cells it has: copies of a position add nothing', () => {
    const one = cellsAt(128, [[true, 6], [true, 5], [true, 4], [false, 3], [false, 2], [false, 1]]);
    const copies = [128, 256, 512, 1024].flatMap((contextTokens) => one.map((cell) => ({ ...cell, contextTokens })));
    const [p] = seedPermutation(copies, [({ contextTokens }) => contextTokens], 19_999, randomStream('test', 2));
    expect(p).toBeCloseTo(0.1, 2);
  });

  it('exchanges only seeds with the same cells, and is null where there are no two', () => {
    const cells = [...cellsAt(128, [[true, 1], [false, 2], [false, 3]]), { contextTokens: 256, depth: 0, seed: 1, failed: true, value: 1 }, { contextTokens: 256, depth: 0, seed: 9, failed: false, value: 2 }];
    expect(exchangeableSeeds(cells)).toEqual([[2, 3]]);
    expect(seedPermutation(cellsAt(128, [[true, 1]]), [all], 99, randomStream('test', 3))).toEqual([null]);
  });

  it('is never 0 and the same for the same stream', () => {
    const cells = cellsAt(128, Array.from({ length: 20 }, (_, index) => [index < 10, -index] as const));
    const p = () => seedPermutation(cells, [all], 999, randomStream('test', 4))[0];
    expect(p()).toBe(2 / 1000);
    expect(p()).toBe(p());
  });
});

describe('the bootstrap by seed', () => {
  const cells = [...cellsAt(128, [[true, 3], [false, 2], [true, 2], [false, 1], [false, 4], [true, 5]]), ...cellsAt(256, [[true, 1], [true, 7], [false, 6], [false, 1], [true, 2], [false, 0]])];
  const position = ({ contextTokens }: SeedCell): number => contextTokens;

  it('weighs cells as if they were there as often', () => {
    const weights = Float64Array.of(2, 0, 1, 3, 1, 1);
    const copies = cells.flatMap((cell) => Array.from({ length: weights[cell.seed - 1] ?? 0 }, () => ({ ...cell, stratum: position(cell) })));
    expect(weightedAuroc(cells, position)(weights)).toBeCloseTo(auroc(copies).auroc ?? NaN, 12);
    expect(weightedAuroc(cells, position)(new Float64Array(6).fill(1))).toBeCloseTo(auroc(cells.map((cell) => ({ ...cell, stratum: position(cell) }))).auroc ?? NaN, 12);
  });

  it('has the width of the normal interval of a mean: 2 x 1.96 s / sqrt n', () => {
    const values = Array.from({ length: 200 }, (_, index) => index);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const [interval] = seedBootstrap(200, 4000, randomStream('test', 5), (weights) => [values.reduce((sum, value, at) => sum + value * (weights[at] ?? 0), 0) / 200]);
    const width = (interval?.high ?? NaN) - (interval?.low ?? NaN);
    expect(width / ((2 * 1.96 * deviation) / Math.sqrt(200))).toBeCloseTo(1, 1);
  });

  it('is null where too few draws have the statistic', () => {
    expect(seedBootstrap(5, 100, randomStream('test', 6), () => [null])).toEqual([null]);
  });

  it('draws seeds, not cells: ten copies of a cell leave the interval as wide', () => {
    const copies = Array.from({ length: 10 }, (_, copy) => cellsAt(128 * (copy + 1), [[true, 3], [false, 2], [true, 2], [false, 1], [false, 4], [true, 5]])).flat();
    const interval = (own: readonly SeedCell[]) => {
      const area = weightedAuroc(own, position);
      return seedBootstrap(seedsOf(own).length, 500, randomStream('test', 7), (weights) => [area(weights)])[0];
    };
    const [one, ten] = [interval(copies.slice(0, 6)), interval(copies)];
    expect(ten?.low).toBeCloseTo(one?.low ?? NaN, 12);
    expect(ten?.high).toBeCloseTo(one?.high ?? NaN, 12);
  });
});
