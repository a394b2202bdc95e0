/**
 * The ONNX graph of a LLaMA-family decoder that reads a chunk of tokens after what its KV cache holds.
 *
 * Pre-norm residual blocks: x += Attention(RMSNorm(x)); x += Down(silu(Gate(RMSNorm(x))) * Up(RMSNorm(x))); logits =
 * Output(RMSNorm(x)). Touvron et al. 2023, "LLaMA", section 2.2.
 */
import { RopesweepError } from '../domain/errors.js';
import { answerRows } from './answerRows.js';
import { fusedAttention } from './attention.js';
import type { Checkpoint } from './checkpoint.js';
import type { ModelConfig } from './config.js';
import { cacheNames, DECODER } from './decoderInterface.js';
import { isIndexable } from './elementLimit.js';
import { GraphBuilder, type Value } from './graphBuilder.js';
import { probeBranch, probeInputs, stackProbes } from './probeBranch.js';
import { EMBEDDING, FINAL_NORM, layerTensors, outputProjection, tensorShapes } from './tensorNames.js';

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
    cos: graph.input(inputs.cos, 'float32', ['table', config.headSize / 2]),
    sin: graph.input(inputs.sin, 'float32', ['table', config.headSize / 2]),
    lastKey: graph.input(inputs.lastKey, 'int32', [1]),
    presentTokens: graph.input(inputs.presentTokens, 'int32', []),
    newStart: graph.input(inputs.newStart, 'int64', [1]),
    newEnd: graph.input(inputs.newEnd, 'int64', [1]),
  };
  const probes = probeInputs(graph, shared);

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
  answerRows(graph, config, hidden, { norm: weight(FINAL_NORM), projection: weight(outputProjection(config)) });
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
  readonly newStart: Value;
  readonly newEnd: Value;
}

/** Attention of one layer, whose new cache rows become outputs of the graph. */
function attend(graph: GraphBuilder, config: ModelConfig, layer: number, projected: { query: Value; key: Value; value: Value }, shared: Shared) {
  const names = cacheNames(layer);
  const cacheShape = [1, config.keyValueHeads, 'C', config.headSize];
  const pastKey = graph.input(names.pastKey, 'float32', cacheShape);
  const pastValue = graph.input(names.pastValue, 'float32', cacheShape);
  const { mixed, presentKey, presentValue } = fusedAttention(graph, config, { ...projected, ...shared, pastKey, pastValue });
  const newRows = [1, config.keyValueHeads, 'S', config.headSize];
  graph.output(names.newKey, graph.slice(presentKey, shared.newStart, shared.newEnd, 2), 'float32', newRows);
  graph.output(names.newValue, graph.slice(presentValue, shared.newStart, shared.newEnd, 2), 'float32', newRows);
  return { mixed, presentKey };
}

function assertIndexable(name: string, shape: readonly number[]): void {
  if (isIndexable(shape)) return;
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
