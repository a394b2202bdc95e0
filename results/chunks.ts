/** Rows in one statement: large enough that the round trip does not count, small enough for one message. */
const ROWS = 20_000;

/** The list in pieces of at most `size`. */
export function* chunks<Item>(list: readonly Item[], size = ROWS): Generator<readonly Item[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size);
}
