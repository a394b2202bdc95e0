/** How often the findings draw at random, and from which seed: the same rows give the same numbers. */
export interface Draws {
  /** Exchanges of a permutation test. */
  readonly permutations: number;
  /** Draws of a bootstrap interval. */
  readonly resamples: number;
  /** Of all streams of random numbers; each arm and statistic has a stream of its own. */
  readonly randomSeed: number;
}

/** Enough that p = 0.0002 can be told, which a hundred arms need after Holm. */
export const DRAWS: Draws = { permutations: 9_999, resamples: 999, randomSeed: 1 };

/** What a share of pairs needs before a p or an interval is worth anything. */
export const LEAST = { failures: 5, passes: 5, seeds: 5 } as const;
