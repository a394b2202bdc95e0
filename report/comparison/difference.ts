/**
 * The mean of a difference over pairs, with a bootstrap interval by what the pairs share (statistics/seedBootstrap.ts): seeds of
 * needle cells, documents of perplexity.
 *
 *     d = sum over pairs of weight x (b - a) / sum over pairs of weight
 */
import { randomStream } from '../../domain/random.js';
import type { Interval } from '../../domain/wilson.js';
import { DRAWS, LEAST } from '../statistics/draws.js';
import { seedBootstrap } from '../statistics/seedBootstrap.js';

export interface Pair {
  readonly a: number;
  readonly b: number;
  /** Pairs of one are drawn together: a seed, a document. */
  readonly cluster: number | string;
  /** 1 where absent. */
  readonly weight?: number;
}

export interface Difference {
  /** Means over the pairs. */
  readonly a: number;
  readonly b: number;
  /** b - a. */
  readonly difference: number;
  /** 95 %; null below five clusters. */
  readonly interval: Interval | null;
  readonly pairs: number;
  readonly clusters: number;
}

/** @param name of the stream of random numbers: equal pairs under equal names give equal intervals */
export function pairedDifference(pairs: readonly Pair[], name: string): Difference | null {
  if (pairs.length === 0) return null;
  const sums = new Map<number | string, { difference: number; weight: number }>();
  let [total, a, b] = [0, 0, 0];
  for (const { a: one, b: other, cluster, weight = 1 } of pairs) {
    const own = sums.get(cluster) ?? { difference: 0, weight: 0 };
    sums.set(cluster, { difference: own.difference + weight * (other - one), weight: own.weight + weight });
    [total, a, b] = [total + weight, a + weight * one, b + weight * other];
  }
  const clusters = [...sums.values()];
  const [interval = null] =
    clusters.length < LEAST.seeds
      ? []
      : seedBootstrap(clusters.length, DRAWS.resamples, randomStream(`difference ${name}`, DRAWS.randomSeed), (weights) => {
          const drawn = clusters.reduce((sum, own, at) => ({ difference: sum.difference + (weights[at] ?? 0) * own.difference, weight: sum.weight + (weights[at] ?? 0) * own.weight }), { difference: 0, weight: 0 });
          return [drawn.weight === 0 ? null : drawn.difference / drawn.weight];
        });
  return { a: a / total, b: b / total, difference: clusters.reduce((sum, own) => sum + own.difference, 0) / total, interval, pairs: pairs.length, clusters: clusters.length };
}
