/**
 * Jensen-Shannon divergence of two distributions, in nats.
 *
 *   JS(p, q) = H(m) - (H(p) + H(q)) / 2,   m = (p + q) / 2,   0 <= JS <= ln 2
 *
 * Lin 1991, "Divergence measures based on the Shannon entropy". Summed as (p ln(p / m) + q ln(q / m)) / 2, whose terms are
 * small where p and q are alike.
 */
import { RopesweepError } from './errors.js';
import type { KeyAxis } from './taskSpec.js';

/** What the rounding of float32 masses may add or take away. */
const ROUNDING = 1e-6;

/**
 * @param p [bins] sums to 1
 * @param q [bins] on the same bins
 * @throws RopesweepError INTERNAL where the bins differ in number, a mass is negative or not a number, or the result leaves 0..ln 2
 */
export function jensenShannon(p: ArrayLike<number>, q: ArrayLike<number>): number {
  if (p.length !== q.length) throw invalid(`distributions of ${p.length} and ${q.length} bins cannot be compared`);
  let sum = 0;
  for (let bin = 0; bin < p.length; bin += 1) {
    const [a, b] = [p[bin] ?? 0, q[bin] ?? 0];
    if (!(a >= -ROUNDING && b >= -ROUNDING)) throw invalid(`bin ${bin} holds the masses ${a} and ${b}`);
    const middle = (a + b) / 2;
    if (a > 0) sum += a * Math.log(a / middle);
    if (b > 0) sum += b * Math.log(b / middle);
  }
  const divergence = sum / 2;
  if (!(divergence >= -ROUNDING && divergence <= Math.LN2 + ROUNDING)) throw invalid(`a divergence of ${divergence} nats lies outside of 0..ln 2`);
  return Math.min(Math.LN2, Math.max(0, divergence));
}

/** Mean over heads; both are [heads][bins], flat, each head's bins summing to 1. */
export function meanJensenShannon(p: Float32Array | Float64Array, q: Float32Array | Float64Array, bins: number): number {
  if (p.length !== q.length) throw invalid(`${p.length / bins} and ${q.length / bins} heads cannot be compared one by one`);
  const heads = p.length / bins;
  let sum = 0;
  for (let head = 0; head < heads; head += 1) sum += jensenShannon(p.subarray(head * bins, (head + 1) * bins), q.subarray(head * bins, (head + 1) * bins));
  return sum / heads;
}

/**
 * Bins on which distributions of `bins` and `otherBins` bins can be compared; null where an axis cuts other lengths otherwise.
 * Distances are cut alike at every length, and a shorter context has no mass on those it does not have.
 */
export function commonBins(axis: KeyAxis, bins: number, otherBins: number): number | null {
  if (bins === otherBins) return bins;
  return axis === 'distance' ? Math.max(bins, otherBins) : null;
}

/** Distributions of `bins` bins each, one after the other, with empty bins added behind each. */
export function withBins(distributions: ArrayLike<number>, bins: number, wanted: number): Float64Array {
  const padded = new Float64Array((distributions.length / bins) * wanted);
  for (let index = 0; index < distributions.length; index += 1) padded[Math.floor(index / bins) * wanted + (index % bins)] = distributions[index] ?? 0;
  return padded;
}

const invalid = (what: string): RopesweepError => new RopesweepError('INTERNAL', { where: 'divergence', what });
