/**
 * How a feed is cut into chunks whose bits do not depend on the cut.
 *
 * A matrix product of a single row takes another kernel and differs in the last bits. So no chunk is of one token, and none
 * leaves one query over when the attention kernel cuts it into blocks (ONNX Runtime's GroupQueryAttention on a CPU takes
 * min(2 headSize, L2 bytes / (32 headSize)) queries at once). All other sizes give the same bits
 * (tests/evaluation/decoder.test.ts tries every one).
 */

/** Fewest tokens, and fewest rows of the output projection, whose bits do not depend on the cut. */
export const FEWEST_ROWS = 2;

/**
 * Most tokens of a chunk that is chosen on any machine (one more where one would be left over); rows asked for at once may
 * make a longer one. Each chunk pays for a copy of the cache, and linears are slower under some hundred rows; longer chunks
 * gain nothing and need more memory (docs/engine-speed.md).
 */
export const LONGEST_CHUNK = 1024;

/**
 * The engine's choice. The attention kernel takes L2 bytes / (32 headSize) keys at once, and a block of keys that reaches
 * beyond a chunk's first row is computed whole: where blocks are as long as the longest chunk, half of it gains more.
 *
 * @param l2Bytes null where it is not known
 */
export const chosenChunk = (headSize: number, l2Bytes: number | null): number =>
  (l2Bytes ?? 0) / (32 * headSize) >= LONGEST_CHUNK ? LONGEST_CHUNK / 2 : LONGEST_CHUNK;

/** L2 caches that are thought of: 1 to 32 times 128 KiB. Every one is, so that the cut is the same on all machines. */
const L2_BYTES = Array.from({ length: 32 }, (_, index) => (index + 1) * 2 ** 17);

/** Whether a chunk of `size` tokens gives the bits that these tokens have in any other such chunk. */
export const isExact = (size: number, headSize: number): boolean =>
  size >= FEWEST_ROWS && L2_BYTES.every((bytes) => size % Math.min(2 * headSize, Math.floor(bytes / (32 * headSize))) !== 1);

export interface Cut {
  readonly headSize: number;
  /** Rows asked for, which the last chunk holds. */
  readonly rows: number;
  /** Tokens a chunk, at least 2; one more where one would be left over. */
  readonly longest: number;
}

/** Sizes of the chunks of `count` tokens, as even as can be; null where no cut is exact. */
export function chunkSizes(count: number, cut: Cut): number[] | null {
  const last = Math.max(cut.rows, FEWEST_ROWS);
  if (count <= Math.max(cut.longest, last) + 1 && isExact(count, cut.headSize)) return [count];
  const even = Math.ceil(count / Math.ceil(count / cut.longest));
  for (let size = Math.min(even, count - last); size >= FEWEST_ROWS; size -= 1) {
    const rest = isExact(size, cut.headSize) ? chunkSizes(count - size, cut) : null;
    if (rest !== null) return [size, ...rest];
  }
  return null;
}
