/**
 * What a set of cells costs, counted from the architecture; predictions of time come from finished cells, not from here.
 *
 *   linear     2 layers (hidden (heads + 2 kvHeads) headSize + heads headSize hidden + 3 hidden intermediate)   a token
 *   attention  4 layers heads headSize                                       a (query, visible key) pair: scores and sum
 *   lm head    2 hidden vocabulary                                           an output row
 *
 * A multiply-add counts as two. A layer with a sliding window is counted like one without: an upper bound. Greedy
 * completion of failing cells is not foreseen.
 */
import type { DeviceClass } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import type { ShardCost } from '../domain/plan.js';
import type { TaskKind } from '../domain/task.js';
import type { ModelConfig } from '../model/config.js';
import { peakMemory } from '../model/memory.js';
import { attendedPairs, tokensIn } from './prefixSegments.js';
import type { CellPoint, TaskShape } from './tasks/taskPlanner.js';

export interface Machine {
  readonly device: DeviceClass;
  readonly dtype: ComputeDtype;
}

const NO_COST: ShardCost = { promptTokens: 0, distinctTokens: 0, flops: 0, kvBytes: 0, peakBytes: 0, resultBytes: 0 };

/** Cost of cells that share one checkpoint, task and RoPE table, evaluated together. */
export function cellsCost<K extends TaskKind>(config: ModelConfig, shape: TaskShape<K>, { device, dtype }: Machine, points: readonly CellPoint<K>[]): ShardCost {
  const { layers, hiddenSize, intermediateSize, heads, keyValueHeads, headSize, vocabularySize } = config;
  const segments = shape.segments(points, device.keepsKv);
  const distinctTokens = tokensIn(segments);
  const longest = points.reduce((most, { contextTokens }) => Math.max(most, contextTokens), 0);
  const memory = points.length === 0 ? null : peakMemory(config, { device, dtype, contextTokens: longest, probeRows: shape.probeRows });
  const linear = 2 * layers * hiddenSize * ((2 * heads + 2 * keyValueHeads) * headSize + 3 * intermediateSize);
  return {
    promptTokens: shape.promptTokens(points),
    distinctTokens,
    flops: linear * distinctTokens + 4 * layers * heads * headSize * attendedPairs(segments) + 2 * hiddenSize * vocabularySize * shape.outputRows(points),
    kvBytes: memory?.kvCache ?? 0,
    peakBytes: memory?.bytes ?? 0,
    resultBytes: points.reduce((sum, point) => sum + shape.resultBytes(point, config), 0),
  };
}

/** Cost of shards one after the other: work adds up, the largest cache and the highest peak count. */
export const totalCost = (costs: readonly ShardCost[]): ShardCost =>
  costs.reduce(
    (sum, cost) => ({
      promptTokens: sum.promptTokens + cost.promptTokens,
      distinctTokens: sum.distinctTokens + cost.distinctTokens,
      flops: sum.flops + cost.flops,
      kvBytes: Math.max(sum.kvBytes, cost.kvBytes),
      peakBytes: Math.max(sum.peakBytes, cost.peakBytes),
      resultBytes: sum.resultBytes + cost.resultBytes,
    }),
    NO_COST,
  );
