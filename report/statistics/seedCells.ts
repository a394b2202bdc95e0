/**
 * Needle cells by the seed that drew their haystack and needle. Cells of one seed share a haystack, so they are no
 * independent trials: tests exchange whole seeds, and intervals draw whole seeds.
 */
import { groupBy } from '../../domain/groupBy.js';

/** A measured needle cell of one arm. */
export interface SeedCell {
  readonly contextTokens: number;
  readonly depth: number;
  readonly seed: number;
  readonly failed: boolean;
  /** What is asked whether it tells failing from passing cells: an entropy in nats. */
  readonly value: number;
}

/** Where a cell stands in the grid, whatever its seed. */
export const positionOf = ({ contextTokens, depth }: Pick<SeedCell, 'contextTokens' | 'depth'>): string => `${contextTokens}/${depth}`;

/** Ascending. */
export const seedsOf = (cells: readonly Pick<SeedCell, 'seed'>[]): number[] => [...new Set(cells.map(({ seed }) => seed))].sort((a, b) => a - b);

/**
 * Seeds whose outcomes may be exchanged: those with cells at the same positions. Only positions where some seed fails and some
 * other passes count, for exchanging equal outcomes changes nothing.
 *
 * @returns groups of two seeds or more
 */
export function exchangeableSeeds(cells: readonly SeedCell[]): number[][] {
  const mixed = [...groupBy(cells, positionOf).values()].filter((own) => own.some(({ failed }) => failed) && own.some(({ failed }) => !failed)).flat();
  const positions = groupBy(mixed, ({ seed }) => seed);
  const alike = groupBy(seedsOf(mixed), (seed) => JSON.stringify((positions.get(seed) ?? []).map(positionOf).sort()));
  return [...alike.values()].filter((seeds) => seeds.length > 1);
}
