/**
 * What a benchmark reports. Claims are ratios, measured side by side in one run, because machines are noisy; a higher
 * ratio always means that ours is better, and it passes where ratio >= required.
 */
export interface Ratio {
  readonly ours: number;
  readonly other: number;
  readonly unit: string;
  /** What `other` was measured on. */
  readonly against: string;
  readonly ratio: number;
  readonly required: number;
}

export interface BenchResult {
  /** Name -> value; the unit stands in the name. */
  readonly figures: Readonly<Record<string, number>>;
  readonly ratios: Readonly<Record<string, Ratio>>;
}

/** For quantities where more is better (a rate). */
export const rateRatio = (ours: number, other: number, unit: string, against: string, required: number): Ratio => ({
  ours,
  other,
  unit,
  against,
  ratio: ours / other,
  required,
});

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
};
