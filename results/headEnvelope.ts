/**
 * How far the heads of an attention cell differ, bin by bin: derived when the cell is recorded, for SQL cannot read the packed
 * heads and a figure needs no more of them.
 */

export interface HeadEnvelope {
  /** [bins] 10th and 90th percentile over layers and heads, between ranks linearly (as percentile_cont of PostgreSQL). */
  readonly p10: readonly number[];
  readonly p90: readonly number[];
}

/** @param heads float32, little-endian, [layers][heads][bins], base64 */
export function headEnvelope(heads: string, bins: number): HeadEnvelope {
  const bytes = Buffer.from(heads, 'base64');
  const count = bytes.byteLength / 4 / bins;
  const p10: number[] = [];
  const p90: number[] = [];
  for (let bin = 0; bin < bins; bin += 1) {
    const masses = Float64Array.from({ length: count }, (_, head) => bytes.readFloatLE((head * bins + bin) * 4)).sort();
    p10.push(percentile(masses, 0.1));
    p90.push(percentile(masses, 0.9));
  }
  return { p10, p90 };
}

function percentile(sorted: Float64Array, share: number): number {
  const rank = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(rank)] ?? NaN, sorted[Math.ceil(rank)] ?? NaN];
  return low + (high - low) * (rank - Math.floor(rank));
}
