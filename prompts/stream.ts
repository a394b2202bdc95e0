/**
 * A haystack of one seed: an endless stream of token ids of which every length takes a prefix, so that prompts of one
 * seed share their filler across arms, context lengths and depths.
 */
export interface HaystackStream {
  /** [count] the first `count` token ids: a view that later calls leave as it is. */
  prefix(count: number): Int32Array;
}

/** Keeps what a generator yielded, so that a prefix is drawn once however often it is asked for. */
export function memoisedStream(next: () => number): HaystackStream {
  let ids = new Int32Array(256);
  let drawn = 0;
  return {
    prefix(count) {
      if (count > ids.length) {
        const larger = new Int32Array(Math.max(count, 2 * ids.length));
        larger.set(ids.subarray(0, drawn));
        ids = larger;
      }
      while (drawn < count) ids[drawn++] = next();
      return ids.subarray(0, count);
    },
  };
}
