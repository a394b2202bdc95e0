/** A mean attention distribution as a curve over an axis of keys, and the smallest and largest of single heads where heads are stored. */
import type { AttentionDistribution } from '../domain/measurement.js';

/** Points of a curve at most; more bins are taken together in groups of equal size. */
const MOST_POINTS = 129;

export interface DistributionPoint {
  /** Bin, from 0; of a group its first. */
  readonly bin: number;
  /** Mass of a bin, mean over layers and heads; of a group the mean of its bins. */
  readonly mass: number;
  /** Of single heads; null where they are not stored. */
  readonly least: number | null;
  readonly most: number | null;
}

/** @param heads [layers][heads][bins]; null where they are not stored */
export function curvePoints({ bins, mean }: Pick<AttentionDistribution, 'bins' | 'mean'>, heads: Float32Array | null): DistributionPoint[] {
  const group = Math.ceil(bins / MOST_POINTS);
  return Array.from({ length: Math.ceil(bins / group) }, (_, index): DistributionPoint => {
    const [from, to] = [index * group, Math.min(bins, (index + 1) * group)];
    const meanOf = (masses: ArrayLike<number>, offset: number): number => {
      let sum = 0;
      for (let bin = from; bin < to; bin += 1) sum += masses[offset + bin] ?? 0;
      return sum / (to - from);
    };
    let [least, most] = [Infinity, -Infinity];
    for (let offset = 0; heads !== null && offset < heads.length; offset += bins) {
      const mass = meanOf(heads, offset);
      [least, most] = [Math.min(least, mass), Math.max(most, mass)];
    }
    return { bin: from, mass: meanOf(mean, 0), ...(heads === null ? { least: null, most: null } : { least, most }) };
  });
}

/** Float32, little-endian. */
export function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}
