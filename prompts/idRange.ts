/** Token ids that a haystack, needle or template may put into a prompt: [first, first + count). */
export interface IdRange {
  /** What they are, for messages: `keys`, `filler`. */
  readonly name: string;
  readonly first: number;
  readonly count: number;
}

/** Whether two ranges have an id in common. */
export const overlap = (a: IdRange, b: IdRange): boolean => a.first < b.first + b.count && b.first < a.first + a.count;
