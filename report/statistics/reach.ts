/**
 * Reach of an arm: the largest tested context such that it and every smaller one have recall >= 90 %.
 *
 * Recall at a context is pooled over its depths and seeds: passed / n. The threshold is compared in integers
 * (10 passed >= 9 n), so that 9 of 10 is 90 % whatever the floats say. A context without a single number is not tested.
 */
import { wilsonInterval, type Interval } from '../../domain/wilson.js';

/** Passes over all depths and seeds of one context length. */
export interface ContextRecall {
  readonly contextTokens: number;
  readonly passed: number;
  /** Cells that have an answer: measured, and diverged ones, which retrieved nothing. */
  readonly n: number;
  /** Cells without one: planned, failed, infeasible. */
  readonly missing: number;
}

export interface Reach {
  readonly contextTokens: number;
  readonly passed: number;
  readonly n: number;
  readonly recall: number;
  /** Wilson interval of the recall at `contextTokens`, 95 %. */
  readonly interval: Interval;
  /** No longer context was tested: the true reach may be longer. */
  readonly isLongestTested: boolean;
  /** Whether every cell up to the first context below 90 % (all cells, if none is) has its numbers. */
  readonly isComplete: boolean;
}

/** 90 %: numerator and denominator. */
const REACH_THRESHOLD = { passed: 9, of: 10 } as const;

const reaches = ({ passed, n }: ContextRecall): boolean => passed * REACH_THRESHOLD.of >= n * REACH_THRESHOLD.passed;

/**
 * @param contexts one entry a context length, in any order
 * @returns null where nothing is tested or the smallest tested context is below 90 %
 */
export function reachOf(contexts: readonly ContextRecall[]): Reach | null {
  const ascending = [...contexts].sort((a, b) => a.contextTokens - b.contextTokens);
  const tested = ascending.filter(({ n }) => n > 0);
  const firstBelow = tested.findIndex((context) => !reaches(context));
  const at = tested[(firstBelow === -1 ? tested.length : firstBelow) - 1];
  if (at === undefined) return null;

  const end = firstBelow === -1 ? undefined : tested[firstBelow];
  const decisive = ascending.filter(({ contextTokens }) => end === undefined || contextTokens <= end.contextTokens);
  return {
    contextTokens: at.contextTokens,
    passed: at.passed,
    n: at.n,
    recall: at.passed / at.n,
    interval: wilsonInterval(at.passed, at.n),
    isLongestTested: end === undefined,
    isComplete: decisive.every(({ missing }) => missing === 0),
  };
}
