/**
 * Prefix sharing: in which order a set of prompts is evaluated on one linear KV cache.
 *
 * Prompts that start alike form a trie. Walking a trie depth first needs one cache and no copies: go down one branch,
 * rewind to the fork, go down the next. Sorting the prompts as strings of token ids *is* such a walk, because in sorted
 * order the longest prefix a prompt shares with any earlier one is the one it shares with its predecessor. So every
 * distinct prefix token is computed exactly once, whatever makes prompts alike: depth, seed or context length.
 */

/** One prompt's turn: keep `sharedTokens` of what the cache holds, feed the rest. */
export interface PrefixStep {
  /** Index into the prompts given. */
  readonly prompt: number;
  /** Length of the prefix shared with the prompt of the step before; 0 for the first. */
  readonly sharedTokens: number;
}

/** Length of the longest common prefix of two token sequences. */
export function commonPrefix(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length += 1;
  return length;
}

/** The order of evaluation; equal prompts keep their order, so the result depends on the prompts alone. */
export function prefixOrder(prompts: readonly Int32Array[]): PrefixStep[] {
  const order = prompts.map((tokens, prompt) => ({ tokens, prompt }));
  order.sort((a, b) => {
    const shared = commonPrefix(a.tokens, b.tokens);
    const difference = (a.tokens[shared] ?? -1) - (b.tokens[shared] ?? -1);
    return difference === 0 ? a.prompt - b.prompt : difference;
  });
  return order.map(({ tokens, prompt }, turn) => {
    const before = order[turn - 1];
    return { prompt, sharedTokens: before === undefined ? 0 : commonPrefix(before.tokens, tokens) };
  });
}

/** Distinct prefix tokens of the prompts: the nodes of their trie. */
export function distinctTokens(prompts: readonly Int32Array[], order: readonly PrefixStep[]): number {
  return order.reduce((sum, step) => sum + (prompts[step.prompt]?.length ?? 0) - step.sharedTokens, 0);
}
