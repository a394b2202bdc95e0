/**
 * Bootstrap interval by seed: as many seeds as there are, drawn with replacement, each with all its cells; the statistic of each
 * such draw; between the 2.5 % and the 97.5 % point of them lies the interval.
 *
 * Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile interval); A. C. Davison
 * and D. V. Hinkley, Bootstrap Methods and their Application (1997), section 3.8 (drawing whole clusters). With fewer than about
 * twenty seeds it is rather too narrow.
 */
import { quantileSorted } from 'simple-statistics';
import type { RandomStream } from '../../domain/random.js';
import type { Interval } from '../../domain/wilson.js';

/** Draws for which the statistic exists, below which there is no interval. */
const LEAST_SHARE = 0.5;

/**
 * @param seeds how many there are
 * @param statistics of a draw: how often each seed is in it -> one number a statistic, null where it does not exist
 * @returns one interval a statistic, null where too few draws have it
 */
export function seedBootstrap(seeds: number, resamples: number, random: RandomStream, statistics: (weights: Float64Array) => readonly (number | null)[]): (Interval | null)[] {
  const drawn: number[][] = [];
  const weights = new Float64Array(seeds);
  for (let resample = 0; resample < resamples; resample += 1) {
    weights.fill(0);
    for (let draw = 0; draw < seeds; draw += 1) {
      const seed = random.below(seeds);
      weights[seed] = (weights[seed] ?? 0) + 1;
    }
    for (const [at, value] of statistics(weights).entries()) {
      const values = (drawn[at] ??= []);
      if (value !== null) values.push(value);
    }
  }
  return drawn.map((values) => {
    if (values.length < LEAST_SHARE * resamples) return null;
    const sorted = Float64Array.from(values).sort();
    const at = (share: number): number => quantileSorted(Array.from(sorted), share);
    return { low: at(0.025), high: at(0.975) };
  });
}
