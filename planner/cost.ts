/**
 * What a set of cells costs, counted from the architecture; predictions of time come from finished cells, not from here.
 *
 *   linear     2 layers (hidden (heads + 2 kvHeads) headSize + heads headSize hidden + 3 hidden intermediate)   a token
 *   attention  4 layers heads headSize                                       a (query, visible key) pair: scores and sum
 *   lm head    2 hidden vocabulary                                           an answer row
 *   KV cache   2 layers kvHeads headSize bytes                               a token of the longest prompt
 *
 * A multiply-add counts as two. Greedy completion of failing cells is not foreseen.
 */
import type { ComputeDtype } from '../domain/engine.js';
import type { ShardCost } from '../domain/plan.js';
import type { ModelConfig } from '../model/config.js';
import type { PromptLayout } from '../prompts/build.js';
import { needleSizes } from '../prompts/needle.js';
import { attendedPairs, prefixSegments, tokensIn, type PromptPoint } from './prefixSegments.js';

const BYTES: Readonly<Record<ComputeDtype, number>> = { f32: 4 };

const NO_COST: ShardCost = { promptTokens: 0, distinctTokens: 0, flops: 0, kvBytes: 0 };

/** Cost of cells that share one checkpoint, task and RoPE table, evaluated together. */
export function cellsCost(config: ModelConfig, layout: PromptLayout, dtype: ComputeDtype, points: readonly PromptPoint[]): ShardCost {
  const { layers, hiddenSize, intermediateSize, heads, keyValueHeads, headSize, vocabularySize } = config;
  const segments = prefixSegments(layout, points);
  const distinctTokens = tokensIn(segments);
  const longest = points.reduce((most, { contextTokens }) => Math.max(most, contextTokens), 0);
  const linear = 2 * layers * hiddenSize * ((2 * heads + 2 * keyValueHeads) * headSize + 3 * intermediateSize);
  const answerRows = points.length * needleSizes(layout.needle).answerTokens;
  return {
    promptTokens: points.reduce((sum, { contextTokens }) => sum + contextTokens, 0),
    distinctTokens,
    flops: linear * distinctTokens + 4 * layers * heads * headSize * attendedPairs(segments) + 2 * hiddenSize * vocabularySize * answerRows,
    kvBytes: 2 * layers * keyValueHeads * headSize * longest * BYTES[dtype],
  };
}

/** Cost of shards one after the other: work adds up, the largest cache counts. */
export const totalCost = (costs: readonly ShardCost[]): ShardCost =>
  costs.reduce(
    (sum, cost) => ({
      promptTokens: sum.promptTokens + cost.promptTokens,
      distinctTokens: sum.distinctTokens + cost.distinctTokens,
      flops: sum.flops + cost.flops,
      kvBytes: Math.max(sum.kvBytes, cost.kvBytes),
    }),
    NO_COST,
  );
