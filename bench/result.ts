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

/** The shortest of several times: what the machine does when nothing else disturbs it. */
export const best = (seconds: readonly number[]): number => Math.min(...seconds);

/** Where a single run is compared with several: what the machine did on the whole. */
export const mean = (seconds: readonly number[]): number => seconds.reduce((sum, value) => sum + value, 0) / seconds.length;

export interface BenchOptions {
  /** Beginnings of the names of what is to be measured; empty for all. */
  readonly only: readonly string[];
  /** Few rounds, short lengths: shows that it works, not how fast. */
  readonly quick: boolean;
}
