/**
 * How a feed is cut into chunks.
 *
 * A chunk of one token takes another matrix kernel and differs in the last bits, so no chunk is ever one token;
 * all others give the same bits however they are cut (tests/evaluation/decoder.test.ts holds that).
 */

/** Fewest tokens, and fewest rows of the output projection, whose bits do not depend on the cut. */
export const FEWEST_ROWS = 2;

/**
 * Most tokens of a chunk that is chosen; rows asked for at once may make a longer one. Each chunk pays for a copy of the
 * cache, and linears are slower under some hundred rows; longer chunks gain nothing and need more memory
 * (docs/engine-speed.md).
 */
export const LONGEST_CHUNK = 1024;

/**
 * Sizes of the chunks of `count` tokens, as even as can be and not above `longest`, but for a chunk of three where two
 * would leave one over; the last holds all `rows` asked for.
 * A single token that stands alone in its sequence is the one chunk of one.
 */
export function chunkSizes(count: number, rows: number, longest: number): number[] {
  const even = evenly(count, longest);
  if (rows <= (even.at(-1) ?? 0)) return even;
  const before = count - rows;
  return before < FEWEST_ROWS ? [count] : [...evenly(before, longest), rows];
}

function evenly(count: number, longest: number): number[] {
  const chunks = Math.max(1, Math.min(Math.ceil(count / longest), Math.floor(count / FEWEST_ROWS)));
  const start = (chunk: number): number => Math.floor((chunk * count) / chunks);
  return Array.from({ length: chunks }, (_, chunk) => start(chunk + 1) - start(chunk));
}
