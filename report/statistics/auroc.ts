/**
 * AUROC within strata: of all pairs of a failing and a passing cell of one stratum, the share whose failing cell has the
 * higher value; a tie counts one half.
 *
 *     AUROC = sum over strata k of U_k / sum over strata k of f_k p_k
 *     U_k   = (sum of the mid-ranks of the failing cells within k) - f_k (f_k + 1) / 2
 *
 * f_k, p_k: failing and passing cells of stratum k. 1/2: the value says nothing; 1: every failing cell lies above every passing
 * one. Cells of different strata are never compared, so a stratum with passing cells alone, or with failing ones alone, says
 * nothing. Sources: J. A. Hanley and B. J. McNeil, Radiology 143 (1982), 29-36 (AUROC as a share of pairs); P. van Elteren,
 * Bulletin of the Institute of International Statistics 37 (1960), 351-361 (rank sums within strata); H. Janes and M. S. Pepe,
 * Biometrika 96 (2009), 371-382 (the AUROC adjusted for what the strata hold).
 */
import { groupBy } from '../../domain/groupBy.js';
import { midranks } from './midranks.js';

/** One cell whose outcome is known. */
export interface Outcome {
  /** Cells of equal strata are compared. */
  readonly stratum: string | number;
  readonly failed: boolean;
  readonly value: number;
}

export interface Auroc {
  /** Failing cells that have a passing one in their stratum, and the other way round. */
  readonly failures: number;
  readonly passes: number;
  /** Of a failing and a passing cell. */
  readonly pairs: number;
  /** 0..1; null without pairs. */
  readonly auroc: number | null;
}

/** Cells that have a counterpart: those of strata with failing and passing cells. */
export const comparable = <Cell extends Omit<Outcome, 'value'>>(cells: readonly Cell[]): Cell[] =>
  [...groupBy(cells, ({ stratum }) => stratum).values()].flatMap((own) => (own.some(({ failed }) => failed) && own.some(({ failed }) => !failed) ? own : []));

export function auroc(cells: readonly Outcome[]): Auroc {
  let [failures, passes, pairs, u] = [0, 0, 0, 0];
  for (const own of groupBy(comparable(cells), ({ stratum }) => stratum).values()) {
    const ranks = midranks(own.map(({ value }) => value));
    const failing = own.filter(({ failed }) => failed).length;
    const rankSum = own.reduce((sum, { failed }, at) => sum + (failed ? (ranks[at] ?? 0) : 0), 0);
    u += rankSum - (failing * (failing + 1)) / 2;
    failures += failing;
    passes += own.length - failing;
    pairs += failing * (own.length - failing);
  }
  return { failures, passes, pairs, auroc: pairs === 0 ? null : u / pairs };
}
