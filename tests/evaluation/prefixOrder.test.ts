import { describe, expect, it } from 'vitest';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { commonPrefix, distinctTokens, prefixOrder } from '../../evaluation/prefixOrder.js';

/** Nodes of the trie of the sequences, counted the plain way. */
function trieNodes(prompts: readonly Int32Array[]): number {
  const prefixes = new Set<string>();
  for (const prompt of prompts) {
    for (let length = 1; length <= prompt.length; length += 1) prefixes.add(prompt.subarray(0, length).join(','));
  }
  return prefixes.size;
}

function randomPrompts(seed: number, count: number): Int32Array[] {
  const random = xoroshiro128plus(seed);
  return Array.from({ length: count }, () => Int32Array.from({ length: uniformInt(random, 1, 12) }, () => uniformInt(random, 0, 2)));
}

describe('prefix order', () => {
  it('visits every prompt exactly once', () => {
    const prompts = randomPrompts(1, 200);
    expect(prefixOrder(prompts).map((step) => step.prompt).sort((a, b) => a - b)).toEqual(prompts.map((_, index) => index));
  });

  it('computes every distinct prefix token exactly once, for any set of prompts', () => {
    for (let seed = 0; seed < 30; seed += 1) {
      const prompts = randomPrompts(seed, 60);
      expect(distinctTokens(prompts, prefixOrder(prompts))).toBe(trieNodes(prompts));
    }
  });

  it('shares with the predecessor exactly what it says', () => {
    const prompts = randomPrompts(7, 100);
    const order = prefixOrder(prompts);
    order.slice(1).forEach((step, index) => {
      const before = prompts[order[index]?.prompt ?? -1];
      const now = prompts[step.prompt];
      expect(before !== undefined && now !== undefined && commonPrefix(before, now)).toBe(step.sharedTokens);
    });
  });

  it('depends on the prompts alone: equal prompts keep their order', () => {
    const same = [Int32Array.of(1, 2), Int32Array.of(1, 2), Int32Array.of(0)];
    expect(prefixOrder(same)).toEqual([
      { prompt: 2, sharedTokens: 0 },
      { prompt: 0, sharedTokens: 0 },
      { prompt: 1, sharedTokens: 2 },
    ]);
  });

  it('is empty for no prompts', () => {
    expect(prefixOrder([])).toEqual([]);
    expect(distinctTokens([], [])).toBe(0);
  });
});
