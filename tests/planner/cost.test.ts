import { describe, expect, it } from 'vitest';
import type { NeedleAxes } from '../../domain/plan.js';
import { cellsCost } from '../../planner/cost.js';
import { attendedPairs, prefixSegments, tokensIn } from '../../planner/prefixSegments.js';
import { promptSource } from '../../prompts/source.js';
import { starterTask } from '../prompts/starterTask.js';

interface Point {
  readonly contextTokens: number;
  readonly axes: NeedleAxes;
}

/** Nodes of the prompts' trie, and the keys each of them sees, counted token by token. */
function countTrie(prompts: readonly Int32Array[]): { tokens: number; pairs: number } {
  const nodes = new Set<string>();
  let pairs = 0;
  for (const prompt of prompts) {
    let node = '';
    prompt.forEach((token, position) => {
      node += String.fromCharCode(token);
      if (nodes.has(node)) return;
      nodes.add(node);
      pairs += position + 1;
    });
  }
  return { tokens: nodes.size, pairs };
}

const grid = (lengths: readonly number[], depths: readonly number[], seeds: readonly number[]): Point[] =>
  seeds.flatMap((seed) => lengths.flatMap((contextTokens) => depths.map((depth) => ({ contextTokens, axes: { depth, seed } }))));

describe('distinct prefix tokens', () => {
  it('counted from lengths and depths are those of the real prompts of a seed', async () => {
    const task = await starterTask();
    const promptOf = promptSource(task);
    const cases = [
      grid([128], [0.5], [1]),
      grid([128], [0, 0.25, 0.5, 0.75, 1], [1]),
      grid([13, 14, 15], [0, 0.25, 0.5, 0.75, 1], [2]),
      grid([64, 128, 256], [0, 0.5, 1], [3]),
      grid([200, 70, 133], [0.1, 0.9], [4]),
    ];
    for (const points of cases) {
      const segments = prefixSegments(task, points);
      const counted = countTrie(points.map(({ contextTokens, axes }) => promptOf(contextTokens, axes).tokens));
      expect({ tokens: tokensIn(segments), pairs: attendedPairs(segments) }).toEqual(counted);
    }
  });

  it('of several seeds are at most a few chance tokens more than the real ones', async () => {
    const task = await starterTask();
    const promptOf = promptSource(task);
    const points = grid([64, 128], [0, 0.5, 1], [1, 2, 3, 4, 5, 6, 7, 8]);
    const counted = countTrie(points.map(({ contextTokens, axes }) => promptOf(contextTokens, axes).tokens)).tokens;
    const foreseen = tokensIn(prefixSegments(task, points));
    console.log(`distinct tokens of 8 seeds: foreseen ${foreseen}, counted ${counted}`);
    expect(foreseen).toBeGreaterThanOrEqual(counted);
    expect(foreseen - counted).toBeLessThanOrEqual(16);
  });
});

describe('the cost of cells', () => {
  it('is what the architecture says, for one prompt worked out by hand', async () => {
    const task = await starterTask();
    const config = {
      layers: 3, hiddenSize: 96, intermediateSize: 192, heads: 3, keyValueHeads: 3, headSize: 32,
      vocabularySize: 256, rmsNormEpsilon: 1e-5, tiedEmbeddings: false,
    };
    const cost = cellsCost(config, task, 'f32', grid([128], [0.5], [1]));
    // Weights of a layer: 4 x 96 x 96 + 3 x 96 x 192 = 92,160. Pairs: 128 x 129 / 2 = 8,256.
    const linear = 2 * 3 * 92_160 * 128;
    const attention = 4 * 3 * 3 * 32 * 8_256;
    const head = 2 * 96 * 256 * 4;
    expect(cost).toEqual({ promptTokens: 128, distinctTokens: 128, flops: linear + attention + head, kvBytes: 2 * 3 * 3 * 32 * 128 * 4 });
  });
});
