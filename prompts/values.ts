/**
 * Keys and values of text needles: numbers, words and UUIDs, distinct within a prompt.
 */
import type { ValueKind } from '../domain/promptSpec.js';
import type { RandomStream } from '../domain/random.js';
import { ADJECTIVES, NOUNS } from './words.js';

/** How many different ones there are. */
export function populationOf(kind: ValueKind, digits: number): number {
  if (kind === 'number') return 9 * 10 ** (digits - 1);
  return kind === 'word' ? ADJECTIVES.length * NOUNS.length : 16 ** 30;
}

/** `count` different ones, in the order drawn. Needs count <= half of the population: what is drawn twice is drawn anew. */
export function drawValues(random: RandomStream, kind: ValueKind, digits: number, count: number): string[] {
  const drawn = new Set<string>();
  while (drawn.size < count) drawn.add(DRAW[kind](random, digits));
  return [...drawn];
}

const pick = (random: RandomStream, list: readonly string[]): string => list[random.below(list.length)] ?? '';

const DRAW: Readonly<Record<ValueKind, (random: RandomStream, digits: number) => string>> = {
  // Digit by digit, so that any number of them is uniform.
  number: (random, digits) => Array.from({ length: digits }, (_, index) => String(index === 0 ? 1 + random.below(9) : random.below(10))).join(''),
  word: (random) => `${pick(random, ADJECTIVES)}-${pick(random, NOUNS)}`,
  uuid: (random) => {
    const hex = Array.from({ length: 32 }, () => random.below(16).toString(16));
    hex[12] = '4';
    hex[16] = (8 + random.below(4)).toString(16);
    const part = (start: number, end: number): string => hex.slice(start, end).join('');
    return [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join('-');
  },
};
