/**
 * The ONNX graph of a LLaMA-family decoder that reads a chunk of tokens after what its KV cache holds.
 *
 * Pre-norm residual blocks: x += Attention(RMSNorm(x)); x += Down(silu(Gate(RMSNorm(x))) * Up(RMSNorm(x))); logits =
 * Output(RMSNorm(x)). Touvron et al. 2023, "LLaMA", section 2.2.
 */
import { RopesweepError } from '../domain/errors.js';
import { answerRows } from './answerRows.js';
import { fusedAttention, rotate, type Rotation } from './attention.js';
import type { Checkpoint } from './checkpoint.js';
import type { ModelConfig, Projection } from './config.js';
import { cacheNames, DECODER } from './decoderInterface.js';
import { isIndexable } from './elementLimit.js';
import { GraphBuilder, type Value } from './graphBuilder.js';
import { probeBranch, probeInputs, stackProbes } from './probeBranch.js';
import { biasOf, EMBEDDING, FINAL_NORM, layerTensors, outputProjection, tensorShapes } from './tensorNames.js';

/** What a graph is made of: no weight is read, so its tensors may be shapes alone. */
export type GraphSource = Pick<Checkpoint, 'config' | 'geometry' | 'tensors' | 'folder'>;

/**
 * The graph as ONNX bytes; weights stay in their files.
 * @throws RopesweepError MODEL_UNSUPPORTED if a weight has 2^31 elements or more
 */
export function decoderGraph(source: GraphSource): Uint8Array {
  const { config, geometry } = source;
  const graph = new GraphBuilder();
  const weights = referWeights(graph, source);
  const weight = (name: string): Value => weights.get(name) ?? name;

  const { inputs } = DECODER;
  const tokens = graph.input(inputs.tokens, 'int64', [1, 'S']);
  const run = {
    lastKey: graph.input(inputs.lastKey, 'int32', [1]),
    presentTokens: graph.input(inputs.presentTokens, 'int32', []),
    newStart: graph.input(inputs.newStart, 'int64', [1]),
    newEnd: graph.input(inputs.newEnd, 'int64', [1]),
  };
  const rotation: Rotation = {
    cos: graph.input(inputs.cos, 'float32', ['table', geometry.rotarySize / 2]),
    sin: graph.input(inputs.sin, 'float32', ['table', geometry.rotarySize / 2]),
    start: run.newStart,
    rotarySize: geometry.rotarySize,
  };
  const probes = probeInputs(graph, config);

  let hidden = graph.node('Gather', [weight(EMBEDDING), tokens], { axis: { int: 0 } });
  const probed = Array.from({ length: config.layers }, (_, layer) => {
    const names = layerTensors(layer);
    const project = (value: Value, projection: Projection): Value => {
      const product = graph.linear(value, weight(names[projection]));
      return config.biases?.includes(projection) ? graph.add(product, weight(biasOf(names[projection]))) : product;
    };
    /** Queries or keys: a norm of each head where the family has one, then the rotation where the layer has one. */
    const turned = (value: Value, heads: number, norm: string): Value => {
      const normed = config.queryKeyNorm ? headNorm(graph, config, value, heads, weight(norm)) : value;
      return config.unrotatedLayers?.includes(layer) ? normed : rotate(graph, normed, heads, rotation);
    };

    const normed = graph.rmsNorm(hidden, weight(names.attentionNorm), config.rmsNormEpsilon);
    const query = turned(project(normed, 'query'), config.heads, names.queryNorm);
    const key = turned(project(normed, 'key'), config.keyValueHeads, names.keyNorm);
    const attention = attend(graph, config, layer, { query, key, value: project(normed, 'value') }, run);
    hidden = graph.add(hidden, project(attention.mixed, 'attentionOutput'));

    const mlpInput = graph.rmsNorm(hidden, weight(names.mlpNorm), config.rmsNormEpsilon);
    const gated = graph.mul(graph.silu(project(mlpInput, 'gate')), project(mlpInput, 'up'));
    hidden = graph.add(hidden, project(gated, 'down'));
    return probeBranch(graph, config, layer, query, attention.presentKey, probes);
  });
  stackProbes(graph, probed, config);
  answerRows(graph, config, hidden, { norm: weight(FINAL_NORM), projection: weight(outputProjection(config)) });
  return graph.encode('decoder');
}

function referWeights(graph: GraphBuilder, { config, tensors, folder }: GraphSource): Map<string, Value> {
  const weights = new Map<string, Value>();
  for (const [name, shape] of tensorShapes(config)) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new RopesweepError('CHECKPOINT_INVALID', { where: folder, what: `tensor ${name} is missing` });
    if (tensor.dtype !== 'F32') throw new RopesweepError('INTERNAL', { where: folder, what: `tensor ${name} is ${tensor.dtype}; the graph reads F32 (model/f32Cache.ts)` });
    assertIndexable(name, shape);
    weights.set(name, graph.weight(name, tensor));
  }
  return weights;
}

/**
 * RMSNorm of each head by itself, with one weight for all. Yang et al. 2025, "Qwen3 Technical Report", section 2.
 * @param value [1, S, heads x headSize]
 */
function headNorm(graph: GraphBuilder, { headSize, rmsNormEpsilon }: ModelConfig, value: Value, heads: number, weight: Value): Value {
  const byHead = graph.reshape(value, 1, -1, heads, headSize);
  return graph.reshape(graph.rmsNorm(byHead, weight, rmsNormEpsilon), 1, -1, heads * headSize);
}

interface RunInputs {
  readonly lastKey: Value;
  readonly presentTokens: Value;
  readonly newStart: Value;
  readonly newEnd: Value;
}

/** Attention of one layer, whose new cache rows become outputs of the graph. */
function attend(graph: GraphBuilder, config: ModelConfig, layer: number, projected: { query: Value; key: Value; value: Value }, run: RunInputs) {
  const names = cacheNames(layer);
  const cacheShape = [1, config.keyValueHeads, 'C', config.headSize];
  const pastKey = graph.input(names.pastKey, 'float32', cacheShape);
  const pastValue = graph.input(names.pastValue, 'float32', cacheShape);
  const window = config.windows?.[layer] ?? null;
  const { mixed, presentKey, presentValue } = fusedAttention(graph, config, window, { ...projected, ...run, pastKey, pastValue });
  const newRows = [1, config.keyValueHeads, 'S', config.headSize];
  graph.output(names.newKey, graph.slice(presentKey, run.newStart, run.newEnd, 2), 'float32', newRows);
  graph.output(names.newValue, graph.slice(presentValue, run.newStart, run.newEnd, 2), 'float32', newRows);
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
