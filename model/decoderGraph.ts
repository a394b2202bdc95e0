/**
 * The ONNX graph of a LLaMA-family decoder that reads a chunk of tokens after what its KV cache holds.
 *
 * Pre-norm residual blocks: x += Attention(RMSNorm(x)); x += Down(silu(Gate(RMSNorm(x))) * Up(RMSNorm(x))); logits =
 * Output(RMSNorm(x)). Touvron et al. 2023, "LLaMA", section 2.2; grouped queries as in Ainslie et al. 2023, "GQA".
 *
 * S = tokens of the chunk, C = rows the cache can hold, R = rows asked for at the end of the chunk (0 for a chunk that
 * only fills the cache), T = tokens present after the chunk, n = key rows the probes read (T, or 1 where R = 0).
 */
import { RopesweepError } from '../domain/errors.js';
import { answerRows } from './answerRows.js';
import type { Checkpoint } from './checkpoint.js';
import type { ModelConfig } from './config.js';
import { GraphBuilder, MICROSOFT, type Value } from './graphBuilder.js';
import { probeBranch, probeInputs, PROBES, stackProbes } from './probeBranch.js';
import { EMBEDDING, FINAL_NORM, layerTensors, outputProjection, tensorShapes } from './tensorNames.js';

/** Names of inputs and outputs, for whoever runs the graph. */
export const DECODER = {
  inputs: {
    tokens: 'tokens', // int64 [1, S]
    cos: 'cos', // float32 [C, rotarySize / 2]
    sin: 'sin', // float32 [C, rotarySize / 2]
    lastKey: 'last_key', // int32 [1]: T - 1
    presentTokens: 'present_tokens', // int32 []: T
    rowStart: 'row_start', // int64 [1]: S - R
    targets: 'targets', // int64 [R, 1]
    probeStart: 'probe_start', // int64 [1]: first probed row of the chunk
    probePositions: 'probe_positions', // int64 [P]: positions of the probed rows
    probeKeys: 'probe_keys', // int64 [1]: n
    spanStart: 'span_start', // int64 [1]
    spanEnd: 'span_end', // int64 [1], exclusive
  },
  outputs: {
    logits: 'logits', // float32 [R, vocabulary]
    top1: 'top1', // int64 [R]
    nll: 'nll', // float32 [R]
    margin: 'margin', // float32 [R]
  },
  probes: PROBES,
} as const;

/** Cache tensors of a layer, [1, keyValueHeads, C, headSize]; the present ones may be the past ones' own memory. */
export const cacheNames = (layer: number) => ({
  pastKey: `past_key_${String(layer)}`,
  pastValue: `past_value_${String(layer)}`,
  presentKey: `present_key_${String(layer)}`,
  presentValue: `present_value_${String(layer)}`,
});

/**
 * The graph as ONNX bytes; weights stay in their files.
 * @throws RopesweepError MODEL_UNSUPPORTED if a weight has 2^31 elements or more
 */
export function decoderGraph(checkpoint: Pick<Checkpoint, 'config' | 'tensors' | 'folder'>): Uint8Array {
  const { config } = checkpoint;
  const graph = new GraphBuilder();
  const weights = referWeights(graph, checkpoint);
  const weight = (name: string): Value => weights.get(name) ?? name;

  const { inputs } = DECODER;
  const tokens = graph.input(inputs.tokens, 'int64', [1, 'S']);
  const shared = {
    cos: graph.input(inputs.cos, 'float32', ['C', config.headSize / 2]),
    sin: graph.input(inputs.sin, 'float32', ['C', config.headSize / 2]),
    lastKey: graph.input(inputs.lastKey, 'int32', [1]),
    presentTokens: graph.input(inputs.presentTokens, 'int32', []),
  };
  const probes = probeInputs(graph, shared, inputs);

  let hidden = graph.node('Gather', [weight(EMBEDDING), tokens], { axis: { int: 0 } });
  const probed = Array.from({ length: config.layers }, (_, layer) => {
    const names = layerTensors(layer);
    const normed = graph.rmsNorm(hidden, weight(names.attentionNorm), config.rmsNormEpsilon);
    const query = graph.linear(normed, weight(names.query));
    const key = graph.linear(normed, weight(names.key));
    const value = graph.linear(normed, weight(names.value));
    const attention = attend(graph, config, layer, { query, key, value }, shared);
    hidden = graph.add(hidden, graph.linear(attention.mixed, weight(names.attentionOutput)));

    const mlpInput = graph.rmsNorm(hidden, weight(names.mlpNorm), config.rmsNormEpsilon);
    const gated = graph.mul(graph.silu(graph.linear(mlpInput, weight(names.gate))), graph.linear(mlpInput, weight(names.up)));
    hidden = graph.add(hidden, graph.linear(gated, weight(names.down)));
    return probeBranch(graph, config, query, attention.presentKey, probes);
  });
  stackProbes(graph, probed, config);
  answerRows(graph, config, hidden, { norm: weight(FINAL_NORM), projection: weight(outputProjection(config)) }, DECODER);
  return graph.encode('decoder');
}

function referWeights(graph: GraphBuilder, { config, tensors, folder }: Pick<Checkpoint, 'config' | 'tensors' | 'folder'>): Map<string, Value> {
  const weights = new Map<string, Value>();
  for (const [name, shape] of tensorShapes(config)) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new RopesweepError('CHECKPOINT_INVALID', { where: folder, what: `tensor ${name} is missing` });
    assertIndexable(name, shape);
    weights.set(name, graph.weight(name, tensor));
  }
  return weights;
}

interface Shared {
  readonly cos: Value;
  readonly sin: Value;
  readonly lastKey: Value;
  readonly presentTokens: Value;
}

/** Causal attention over cache and chunk; rotates queries and keys (half-split layout) and appends to the cache. */
function attend(graph: GraphBuilder, config: ModelConfig, layer: number, projected: { query: Value; key: Value; value: Value }, shared: Shared) {
  const names = cacheNames(layer);
  const cacheShape = [1, config.keyValueHeads, 'C', config.headSize];
  const pastKey = graph.input(names.pastKey, 'float32', cacheShape);
  const pastValue = graph.input(names.pastValue, 'float32', cacheShape);
  const [mixed = '', presentKey = '', presentValue = ''] = graph.namedNode(
    'GroupQueryAttention',
    [projected.query, projected.key, projected.value, pastKey, pastValue, shared.lastKey, shared.presentTokens, shared.cos, shared.sin],
    [`attention_${String(layer)}`, names.presentKey, names.presentValue],
    {
      num_heads: { int: config.heads },
      kv_num_heads: { int: config.keyValueHeads },
      do_rotary: { int: 1 },
      rotary_interleaved: { int: 0 },
      scale: 1 / Math.sqrt(config.headSize),
    },
    MICROSOFT,
  );
  graph.declareOutput(presentKey, 'float32', cacheShape);
  graph.declareOutput(presentValue, 'float32', cacheShape);
  return { mixed, presentKey };
}

/** Kernels index elements in int32 in places: a larger tensor would be read wrongly, not refused. */
const MAXIMUM_ELEMENTS = 2 ** 31;

function assertIndexable(name: string, shape: readonly number[]): void {
  if (shape.reduce((product, dimension) => product * dimension, 1) < MAXIMUM_ELEMENTS) return;
  throw new RopesweepError('MODEL_UNSUPPORTED', { where: name, what: `a tensor of [${shape.join(', ')}] has 2^31 elements or more` });
}

/**
 * Refuses sizes at which a tensor of the graph would reach 2^31 elements.
 * @throws RopesweepError MODEL_UNSUPPORTED
 */
export function assertGraphFits(config: ModelConfig, sizes: { capacityTokens: number; chunkTokens: number; rows: number }): void {
  const { capacityTokens, chunkTokens, rows } = sizes;
  assertIndexable('KV cache', [config.keyValueHeads, capacityTokens, config.headSize]);
  assertIndexable('cos and sin', [capacityTokens, config.headSize / 2]);
  assertIndexable('hidden states', [chunkTokens, Math.max(config.hiddenSize, config.intermediateSize, config.heads * config.headSize)]);
  assertIndexable('probe scores', [config.heads, rows, capacityTokens]);
  assertIndexable('logits', [rows, config.vocabularySize]);
}
