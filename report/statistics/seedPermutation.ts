/**
 * Permutation test by seed: is the entropy of a seed's cells independent of their outcomes, given context length and depth?
 *
 * Under that hypothesis the outcomes of a seed, all its cells together, might as well stand at the cells of another seed. So
 * whole seeds exchange their outcomes, m times at random, and the rank sum of the failing cells is taken anew each time:
 *
 *     p = min(1, 2 min(b_high + 1, b_low + 1) / (m + 1))
 *
 * b_high, b_low: how often the rank sum is at least, or at most, that of the real outcomes. Two-sided. Never 0: the real outcomes
 * are one of the m + 1. How many cells fail at each length and depth is the same in all, so p says nothing of the effects of
 * length and depth themselves, whatever the strata of the statistic. Sources: B. Phipson and G. K. Smyth, Statistical
 * Applications in Genetics and Molecular Biology 9 (2010), 39 (the 1 above and below); F. Pesarin and L. Salmaso, Permutation
 * Tests for Complex Data (2010) (exchanging whole units).
 *
 * A rank sum after an exchange is a sum over seeds of D[s][t] = sum over positions of [t fails there] x (mid-rank of s there), so
 * that an exchange costs one addition a seed.
 */
import type { RandomStream } from '../../domain/random.js';
import { groupBy } from '../../domain/groupBy.js';
import { midranks } from './midranks.js';
import { exchangeableSeeds, positionOf, type SeedCell } from './seedCells.js';

/** Which cells a rank is taken among. */
export type StratumOf = (cell: SeedCell) => string | number;

/**
 * @param strata one entry a statistic; all are taken of the same exchanges
 * @param permutations m
 * @returns p of each, null where no two seeds can be exchanged
 */
export function seedPermutation(cells: readonly SeedCell[], strata: readonly StratumOf[], permutations: number, random: RandomStream): (number | null)[] {
  const groups = exchangeableSeeds(cells);
  if (groups.length === 0) return strata.map(() => null);
  const sums = strata.map((stratum) => groups.map((seeds) => rankSums(cells, stratum, seeds)));
  const identity = groups.map((seeds) => seeds.map((_, at) => at));
  const observed = sums.map((ofStratum) => total(ofStratum, identity));
  const high = strata.map(() => 0);
  const low = strata.map(() => 0);
  for (let draw = 0; draw < permutations; draw += 1) {
    const exchanged = groups.map((seeds) => shuffled(seeds.length, random));
    for (const [at, ofStratum] of sums.entries()) {
      const sum = total(ofStratum, exchanged);
      if (sum >= (observed[at] ?? NaN)) high[at] = (high[at] ?? 0) + 1;
      if (sum <= (observed[at] ?? NaN)) low[at] = (low[at] ?? 0) + 1;
    }
  }
  return strata.map((_, at) => Math.min(1, (2 * (Math.min(high[at] ?? 0, low[at] ?? 0) + 1)) / (permutations + 1)));
}

/** D of a group of seeds, [seed whose cells][seed whose outcomes]; ranks are taken among all cells. */
function rankSums(cells: readonly SeedCell[], stratumOf: StratumOf, seeds: readonly number[]): Float64Array[] {
  const rankOf = new Map<SeedCell, number>();
  for (const own of groupBy(cells, stratumOf).values()) {
    const ranks = midranks(own.map(({ value }) => value));
    own.forEach((cell, at) => rankOf.set(cell, ranks[at] ?? NaN));
  }
  const place = new Map(seeds.map((seed, at) => [seed, at]));
  const sums = seeds.map(() => new Float64Array(seeds.length));
  for (const atPosition of groupBy(cells.filter(({ seed }) => place.has(seed)), positionOf).values()) {
    // A position that only some of the group have is one where all outcomes are alike.
    const failing = atPosition.filter(({ failed }) => failed);
    if (failing.length === atPosition.length) continue;
    for (const cell of atPosition) {
      const row = sums[place.get(cell.seed) ?? -1];
      for (const { seed } of failing) if (row !== undefined) row[place.get(seed) ?? -1] = (row[place.get(seed) ?? -1] ?? 0) + (rankOf.get(cell) ?? NaN);
    }
  }
  return sums;
}

function total(sums: readonly (readonly Float64Array[])[], exchanged: readonly (readonly number[])[]): number {
  let sum = 0;
  for (const [group, rows] of sums.entries()) {
    const order = exchanged[group] ?? [];
    for (const [at, row] of rows.entries()) sum += row[order[at] ?? -1] ?? NaN;
  }
  return sum;
}

/** 0..count-1 in a random order (Fisher and Yates). */
function shuffled(count: number, random: RandomStream): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last -= 1) {
    const at = random.below(last + 1);
    [order[last], order[at]] = [order[at] ?? last, order[last] ?? at];
  }
  return order;
}
