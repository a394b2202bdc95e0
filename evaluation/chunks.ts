/**
 * How a feed is cut into chunks.
 *
 * A chunk of one token takes another matrix kernel and differs in the last bits, so no chunk is ever one token;
 * all others give the same bits however they are cut (tests/evaluation/decoder.test.ts holds that).
 */

/** Fewest tokens, and fewest rows of the output projection, whose bits do not depend on the cut. */
export const FEWEST_ROWS = 2;

/**
 * Sizes of the chunks of `count` tokens; the last holds all `rows` asked for.
 * A single token that stands alone in its sequence is the one chunk of one.
 */
export function chunkSizes(count: number, rows: number, chunkTokens: number): number[] {
  const last = Math.min(count, Math.max(rows, FEWEST_ROWS));
  const full = Math.floor((count - last) / chunkTokens);
  return [...Array.from({ length: full }, () => chunkTokens), count - full * chunkTokens];
}
