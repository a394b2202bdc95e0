/** How far a table is from one of another implementation. */
import type { RopeTable } from '../../domain/method.js';

export interface GoldenTable {
  inv_freq: number[];
  attention_factor: number;
}

export const relative = (ours: number, theirs: number): number => Math.abs(ours - theirs) / Math.abs(theirs);

/** Largest relative difference of all inverse frequencies and the attention factor; infinite if their numbers differ. */
export const largestDifference = (ours: RopeTable, theirs: GoldenTable): number =>
  ours.inverseFrequencies.length === theirs.inv_freq.length
    ? Math.max(
        relative(ours.attentionFactor, theirs.attention_factor),
        ...ours.inverseFrequencies.map((frequency, pair) => relative(frequency, theirs.inv_freq[pair] ?? NaN)),
      )
    : Infinity;
