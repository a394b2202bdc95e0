/**
 * A needle grid with the question last: 11 depths at every length, all of one haystack.
 *
 * Its lower bound: each distinct prefix token once. A prefill of T tokens costs a T + b T (T + 1) / 2, with a the cost of a
 * token (linears, norms, cache) and b of a pair of query and key; a and b are fitted to prefills of the same run, and the
 * bound is a (distinct tokens) + b (keys they see).
 */
import { distinctTokens, prefixOrder } from '../evaluation/prefixOrder.js';

const DEPTHS = 11;
const NEEDLE_TOKENS = 24;
const QUESTION_TOKENS = 40;
export const ANSWER_ROWS = 5;

/** Haystack up to the depth, needle, the rest of the haystack, question: `length` tokens each. */
export function gridPrompts(lengths: readonly number[]): Int32Array[] {
  const haystack = (index: number): number => 1000 + ((index * 37) % 30_000);
  return lengths.flatMap((length) =>
    Array.from({ length: DEPTHS }, (_, depth) => {
      const filler = length - NEEDLE_TOKENS - QUESTION_TOKENS;
      const start = Math.round((depth / (DEPTHS - 1)) * filler);
      return Int32Array.from({ length }, (__, position) => {
        if (position < start) return haystack(position);
        if (position < start + NEEDLE_TOKENS) return 40_000 + position - start;
        if (position < filler + NEEDLE_TOKENS) return haystack(position - NEEDLE_TOKENS);
        return 45_000 + position - filler - NEEDLE_TOKENS;
      });
    }),
  );
}

export interface CostFit {
  /** Seconds a token. */
  readonly token: number;
  /** Seconds a pair of query and key. */
  readonly pair: number;
}

const pairs = (from: number, to: number): number => (to * (to + 1) - from * (from + 1)) / 2;

/** Least squares of the relative errors over measured prefills. */
export function fitCost(measured: readonly { readonly tokens: number; readonly seconds: number }[]): CostFit {
  let [xx, xy, yy, xt, yt] = [0, 0, 0, 0, 0];
  for (const { tokens, seconds } of measured) {
    const [x, y] = [tokens / seconds, pairs(0, tokens) / seconds];
    xx += x * x;
    xy += x * y;
    yy += y * y;
    xt += x;
    yt += y;
  }
  const determinant = xx * yy - xy * xy;
  return { token: (xt * yy - yt * xy) / determinant, pair: (yt * xx - xt * xy) / determinant };
}

/** Distinct prefix tokens, and the least time that computing them takes. */
export function lowerBound(prompts: readonly Int32Array[], cost: CostFit): { readonly tokens: number; readonly seconds: number } {
  const order = prefixOrder(prompts);
  const tokens = distinctTokens(prompts, order);
  const seen = order.reduce((sum, { prompt, sharedTokens }) => sum + pairs(sharedTokens, prompts[prompt]?.length ?? 0), 0);
  return { tokens, seconds: cost.token * tokens + cost.pair * seen };
}
