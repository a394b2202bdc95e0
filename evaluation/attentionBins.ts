/**
 * The axes that attention distributions are compared on, as bins of keys. A row at position p sees the keys 0..p, n = p + 1.
 *
 *   fraction   key 0; then 128 bins of i / n:      key i is in bin floor(128 i / n), key 0 apart
 *   index      one bin a key:                      absolute positions 0..contextTokens - 1
 *   distance   d = p - i: one bin each up to 15, then eight to a doubling
 *
 * Bins are given by their edges in keys: a bin holds the keys [edge e, edge e + 1).
 */
import type { KeyAxis } from '../domain/taskSpec.js';

const FRACTION_BINS = 128;
const EXACT_DISTANCES = 16;
const BINS_A_DOUBLING = 8;

export interface AxisBins {
  readonly bins: number;
  /** [bins + 1] ascending keys, of a row at `position`. */
  readonly edges: (position: number) => number[];
  /** Whether the first bin of the axis is the last in keys: distances count backwards. */
  readonly reversed: boolean;
}

export const axisBins = (axis: KeyAxis, contextTokens: number): AxisBins => AXES[axis](contextTokens);

const AXES: { readonly [A in KeyAxis]: (contextTokens: number) => AxisBins } = {
  fraction: () => ({
    bins: FRACTION_BINS + 1,
    reversed: false,
    edges: (position) => [0, ...Array.from({ length: FRACTION_BINS + 1 }, (_, bin) => Math.min(position + 1, Math.max(1, Math.ceil((bin * (position + 1)) / FRACTION_BINS))))],
  }),
  index: (contextTokens) => ({
    bins: contextTokens,
    reversed: false,
    edges: (position) => Array.from({ length: contextTokens + 1 }, (_, key) => Math.min(key, position + 1)),
  }),
  distance: (contextTokens) => {
    const distances = distanceEdges(contextTokens);
    return {
      bins: distances.length - 1,
      reversed: true,
      edges: (position) => distances.map((distance) => Math.max(0, position + 1 - distance)).reverse(),
    };
  },
};

/** Ascending distances, from 0 to at least contextTokens. */
export function distanceEdges(contextTokens: number): number[] {
  const edges = Array.from({ length: EXACT_DISTANCES }, (_, distance) => distance);
  for (let step = 0; (edges.at(-1) ?? 0) < contextTokens; step += 1) {
    const next = Math.ceil(EXACT_DISTANCES * 2 ** (step / BINS_A_DOUBLING));
    if (next > (edges.at(-1) ?? 0)) edges.push(next);
  }
  return edges;
}

/** [bins] masses between the edges, in the order of the axis. */
export function binMasses(below: ArrayLike<number>, { bins, reversed }: AxisBins): number[] {
  const masses = Array.from({ length: bins }, (_, bin) => (below[bin + 1] ?? 0) - (below[bin] ?? 0));
  return reversed ? masses.reverse() : masses;
}
