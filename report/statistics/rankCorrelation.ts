/**
 * Spearman's rank correlation: Pearson's of the mid-ranks, -1 to 1.
 *
 *     rho = sum (R_i - mean R)(S_i - mean S) / sqrt(sum (R_i - mean R)^2 sum (S_i - mean S)^2)
 *
 * Source: C. Spearman, American Journal of Psychology 15 (1904), 72-101; for ties M. G. Kendall, Biometrika 33 (1945), 239-251.
 */
import { sampleCorrelation } from 'simple-statistics';
import { midranks } from './midranks.js';

/** null for fewer than two points, or where all of x or all of y are equal. */
export function rankCorrelation(x: readonly number[], y: readonly number[]): number | null {
  if (new Set(x).size < 2 || new Set(y).size < 2) return null;
  return sampleCorrelation(Array.from(midranks(x)), Array.from(midranks(y)));
}
