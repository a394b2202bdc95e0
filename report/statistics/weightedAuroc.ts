/**
 * The AUROC within strata (auroc.ts) where each seed counts as often as a bootstrap drew it:
 *
 *     AUROC = sum over seeds s, t of w_s w_t U[s][t] / sum over seeds s, t of w_s w_t P[s][t]
 *
 * P[s][t]: pairs of a failing cell of seed s and a passing cell of seed t in one stratum; U[s][t]: those of them whose failing cell
 * has the higher value, ties counted one half. Both are counted once, so that a draw costs seeds times seeds, however many cells.
 */
import { groupBy } from '../../domain/groupBy.js';
import { comparable } from './auroc.js';
import { seedsOf, type SeedCell } from './seedCells.js';
import type { StratumOf } from './seedPermutation.js';

/** @returns from weights by seed, in the order of `seedsOf(cells)`, to the AUROC; null where the draw has no pair */
export function weightedAuroc(cells: readonly SeedCell[], stratumOf: StratumOf): (weights: Float64Array) => number | null {
  const seeds = seedsOf(cells);
  const place = new Map(seeds.map((seed, at) => [seed, at]));
  const higher = new Float64Array(seeds.length ** 2);
  const pairs = new Float64Array(seeds.length ** 2);
  for (const own of groupBy(comparable(cells.map((cell) => ({ ...cell, stratum: stratumOf(cell) }))), ({ stratum }) => stratum).values()) {
    countPairs(own, (seed) => place.get(seed) ?? -1, seeds.length, { higher, pairs });
  }
  return (weights) => {
    let [up, all] = [0, 0];
    for (let s = 0; s < seeds.length; s += 1) {
      const weight = weights[s] ?? 0;
      if (weight === 0) continue;
      for (let t = 0, at = s * seeds.length; t < seeds.length; t += 1, at += 1) {
        const both = weight * (weights[t] ?? 0);
        up += both * (higher[at] ?? 0);
        all += both * (pairs[at] ?? 0);
      }
    }
    return all === 0 ? null : up / all;
  };
}

/** Of one stratum: walks its values upwards and keeps how many passing cells of each seed lie below. */
function countPairs(cells: readonly SeedCell[], placeOf: (seed: number) => number, seeds: number, { higher, pairs }: Readonly<Record<'higher' | 'pairs', Float64Array>>): void {
  const passing = new Float64Array(seeds);
  for (const { seed, failed } of cells) if (!failed) passing[placeOf(seed)] = (passing[placeOf(seed)] ?? 0) + 1;
  const below = new Float64Array(seeds);
  const sorted = [...cells].sort((a, b) => a.value - b.value);
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && sorted[to]?.value === sorted[from]?.value) to += 1;
    const equal = sorted.slice(from, to);
    const addHalf = (): void => {
      for (const { seed, failed } of equal) if (!failed) below[placeOf(seed)] = (below[placeOf(seed)] ?? 0) + 0.5;
    };
    addHalf();
    for (const { seed, failed } of equal) {
      if (!failed) continue;
      const row = placeOf(seed) * seeds;
      for (let t = 0; t < seeds; t += 1) {
        higher[row + t] = (higher[row + t] ?? 0) + (below[t] ?? 0);
        pairs[row + t] = (pairs[row + t] ?? 0) + (passing[t] ?? 0);
      }
    }
    addHalf();
    from = to;
  }
}
