/**
 * Seeded random streams whose sequence never changes: xoroshiro128+ with the SHA-256 of (purpose, seed) as its state.
 *
 * Each purpose has a stream of its own, so that drawing more of one (a longer haystack) never shifts another (the needle).
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { digest } from './identity.js';

export interface RandomStream {
  /** Uniform in [0, 1), a multiple of 2^-53. */
  fraction(): number;
  /** Uniform integer in [0, count). */
  below(count: number): number;
}

/** The stream of one purpose and seed; equal arguments give equal sequences on every machine. */
export function randomStream(purpose: string, seed: number): RandomStream {
  const name = Buffer.from(digest({ purpose, seed }), 'hex');
  const generator = xoroshiro128plusFromState([0, 4, 8, 12].map((offset) => name.readInt32BE(offset)));
  return {
    fraction: () => uniformFloat64(generator),
    below: (count) => uniformInt(generator, 0, count - 1),
  };
}

/** `count` different integers of [0, population), in the order drawn. Needs count <= population. */
export function drawWithoutReplacement(random: RandomStream, count: number, population: number): number[] {
  // Of those not drawn yet, ascending, the drawn position: nothing of the population is laid out.
  const drawn: number[] = [];
  return Array.from({ length: count }, (_, index) => {
    let value = random.below(population - index);
    let smaller = 0;
    for (; (drawn[smaller] ?? Infinity) <= value; smaller += 1) value += 1;
    drawn.splice(smaller, 0, value);
    return value;
  });
}
