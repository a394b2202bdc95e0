/**
 * A haystack of one seed: an endless stream of token ids of which every length takes a prefix, so that prompts of one
 * seed share their filler across arms, context lengths and depths.
 */
export interface HaystackStream {
  /** [count] the first `count` token ids: a view that later calls leave as it is. */
  prefix(count: number): Int32Array;
  /**
   * Ascending numbers of tokens, 0 to `count`, after which a sentence ends; 0 is the first of them.
   * null where tokens are no text.
   */
  readonly sentenceEnds: ((count: number) => readonly number[]) | null;
}

/** Keeps what a generator yielded, so that a prefix is drawn once however often it is asked for. */
class Memory {
  private ids = new Int32Array(256);
  length = 0;

  push(more: readonly number[]): void {
    const length = this.length + more.length;
    if (length > this.ids.length) {
      const larger = new Int32Array(Math.max(length, 2 * this.ids.length));
      larger.set(this.ids.subarray(0, this.length));
      this.ids = larger;
    }
    this.ids.set(more, this.length);
    this.length = length;
  }

  prefix(count: number): Int32Array {
    return this.ids.subarray(0, count);
  }
}

/** A stream of single token ids without sentences. */
export function idStream(next: () => number): HaystackStream {
  const memory = new Memory();
  return {
    sentenceEnds: null,
    prefix(count) {
      while (memory.length < count) memory.push([next()]);
      return memory.prefix(count);
    },
  };
}

/** A stream of sentences, each some token ids; sentences without a token are allowed, but not for ever. */
export function sentenceStream(next: () => readonly number[]): HaystackStream {
  const memory = new Memory();
  const ends = [0];
  const draw = (count: number): void => {
    while (memory.length < count) {
      memory.push(next());
      ends.push(memory.length);
    }
  };
  return {
    prefix(count) {
      draw(count);
      return memory.prefix(count);
    },
    sentenceEnds(count) {
      draw(count);
      return ends.slice(0, upperBound(ends, count));
    },
  };
}

/** How many of ascending numbers are at most `limit`. */
function upperBound(ascending: readonly number[], limit: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? Infinity) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
