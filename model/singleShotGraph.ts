/**
 * The ONNX graph of a decoder that reads a whole sequence in one run and keeps nothing: for devices on which nothing stays
 * between runs (CUDA from Node). Its outputs are those of the graph with a cache (decoderInterface.ts), without the cache.
 *
 * Computed in the type of the checkpoint's weights with norms, rotation, softmax and losses in float32. float16 and
 * bfloat16 attend in one fused operator; float32, which that operator does not have on CUDA, attends in
 * MultiHeadAttention with every key-value head repeated for its query heads.
 */
import { answerRows } from './answerRows.js';
import { fusedAttention, rotate, type Rotation } from './attention.js';
import type { ModelConfig } from './config.js';
import { DECODER } from './decoderInterface.js';
import { decoderLayers, type GraphSource, type Projected } from './decoderLayers.js';
import { edgeIndices, massBelowEdges, stackMasses } from './distributionBranch.js';
import { assertIndexable } from './elementLimit.js';
import { GraphBuilder, MICROSOFT, type FloatType, type Value } from './graphBuilder.js';
import { onceComputed } from './layerOrder.js';
import { probeBranch, probeInputs, stackProbes, type LayerProbes } from './probeBranch.js';
import { rowLosses } from './rowLosses.js';
import { FINAL_NORM, outputProjection } from './tensorNames.js';

export interface SingleShotOptions {
  readonly type: FloatType;
  /** `answer`: logits of the last R rows. `every`: losses of all rows, in blocks, without logits. */
  readonly rows: 'answer' | 'every';
  /** Whether the graph also gives binned attention distributions of the probed rows (model/distributionBranch.ts). */
  readonly distributions?: boolean;
}

/** @throws RopesweepError MODEL_UNSUPPORTED if a weight has 2^31 elements or more */
export function singleShotGraph(source: GraphSource, { type, rows, distributions = false }: SingleShotOptions): Uint8Array {
  const { config, geometry } = source;
  const graph = new GraphBuilder();
  const { inputs } = DECODER;
  const run = { lastKey: graph.input(inputs.lastKey, 'int32', [1]), presentTokens: graph.input(inputs.presentTokens, 'int32', []) };
  const rotation: Rotation = {
    cos: graph.input(inputs.cos, 'float32', ['table', geometry.rotarySize / 2]),
    sin: graph.input(inputs.sin, 'float32', ['table', geometry.rotarySize / 2]),
    start: graph.ints(0),
    rotarySize: geometry.rotarySize,
  };
  const wide = (value: Value): Value => (type === 'float32' ? value : graph.cast(value, 'float32'));
  const probes = probeInputs(graph, config);
  const indices = distributions ? edgeIndices(graph, config) : null;
  const probed: LayerProbes[] = [];
  const masses: Value[] = [];
  const hidden = decoderLayers(graph, source, {
    tokens: graph.input(inputs.tokens, 'int64', [1, 'S']),
    rotate: (value, heads) => rotate(graph, value, heads, rotation),
    type,
    attend: (layer, projected) => {
      const window = config.windows?.[layer] ?? null;
      const { mixed, presentKey } =
        type === 'float32' && window === null ? repeatedAttention(graph, config, projected) : wholeAttention(graph, config, window, projected, run);
      const found = probeBranch(graph, config, { query: projected.query, presentKey, before: probed.at(-1) }, probes, wide);
      const below = indices === null ? [] : [massBelowEdges(graph, found.probabilities, indices)];
      probed.push(found);
      masses.push(...below);
      return onceComputed(graph, mixed, config.heads * config.headSize, [...Object.values(found.probes), found.total, ...below]);
    },
  });
  stackProbes(graph, probed, config);
  if (distributions) stackMasses(graph, masses, config);
  const last = { norm: FINAL_NORM, projection: outputProjection(config) };
  if (rows === 'every') rowLosses(graph, config, hidden, last, wide);
  else answerRows(graph, config, hidden, last, wide);
  return graph.encode('single-shot');
}

interface RunInputs {
  readonly lastKey: Value;
  readonly presentTokens: Value;
}

/** The fused operator without a past. */
function wholeAttention(graph: GraphBuilder, config: ModelConfig, window: number | null, projected: Projected, run: RunInputs) {
  return fusedAttention(graph, config, window, { ...projected, ...run, pastKey: '', pastValue: '' });
}

/** Causal attention in float32, keys and values repeated heads / keyValueHeads times. */
function repeatedAttention(graph: GraphBuilder, { heads, keyValueHeads, headSize }: ModelConfig, { query, key, value }: Projected) {
  const group = heads / keyValueHeads;
  const repeat = (input: Value): Value => {
    if (group === 1) return input;
    const byHead = graph.reshape(input, 1, -1, keyValueHeads, 1, headSize);
    const repeated = graph.node('Expand', [byHead, graph.ints(1, 1, 1, group, 1)]);
    return graph.reshape(repeated, 1, -1, heads * headSize);
  };
  const mixed = graph.node(
    'MultiHeadAttention',
    [query, repeat(key), repeat(value)],
    { num_heads: { int: heads }, unidirectional: { int: 1 }, scale: 1 / Math.sqrt(headSize) },
    MICROSOFT,
  );
  return { mixed, presentKey: graph.transpose(graph.reshape(key, 1, -1, keyValueHeads, headSize), 0, 2, 1, 3) };
}

/**
 * Refuses lengths at which a tensor of the graph would reach 2^31 elements.
 * @throws RopesweepError MODEL_UNSUPPORTED
 */
export function assertSingleShotFits(config: ModelConfig, sizes: { tokens: number; probeRows: number }): void {
  const { tokens, probeRows } = sizes;
  assertIndexable('hidden states', [tokens, Math.max(config.hiddenSize, config.intermediateSize, config.heads * config.headSize)]);
  assertIndexable('probe scores', [config.heads, probeRows, tokens]);
}
