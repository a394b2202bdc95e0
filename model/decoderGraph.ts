/**
 * The ONNX graph of a LLaMA-family decoder that reads a chunk of tokens after what its KV cache holds.
 * Its layers are those of every graph of a decoder (decoderLayers.ts).
 */
import { answerRows } from './answerRows.js';
import { fusedAttention, rotate, type Rotation } from './attention.js';
import type { ModelConfig } from './config.js';
import { cacheNames, DECODER } from './decoderInterface.js';
import { decoderLayers, type GraphSource, type Projected } from './decoderLayers.js';
import { edgeIndices, massBelowEdges, stackMasses } from './distributionBranch.js';
import { assertIndexable } from './elementLimit.js';
import { GraphBuilder, type Value } from './graphBuilder.js';
import { onceComputed } from './layerOrder.js';
import { probeBranch, probeInputs, stackProbes, type LayerProbes } from './probeBranch.js';
import { FINAL_NORM, outputProjection } from './tensorNames.js';

export type { GraphSource } from './decoderLayers.js';

export interface DecoderGraphOptions {
  /** Whether the graph also gives binned attention distributions of the probed rows (model/distributionBranch.ts). */
  readonly distributions?: boolean;
}

/**
 * The graph as ONNX bytes; weights stay in their files.
 * @throws RopesweepError MODEL_UNSUPPORTED if a weight has 2^31 elements or more
 */
export function decoderGraph(source: GraphSource, { distributions = false }: DecoderGraphOptions = {}): Uint8Array {
  const { config, geometry } = source;
  const graph = new GraphBuilder();
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

  const indices = distributions ? edgeIndices(graph, config) : null;
  const probed: LayerProbes[] = [];
  const masses: Value[] = [];
  const hidden = decoderLayers(graph, source, {
    tokens,
    rotate: (value, heads) => rotate(graph, value, heads, rotation),
    attend: (layer, projected) => {
      const { mixed, presentKey, newRows } = attend(graph, config, layer, projected, run);
      const found = probeBranch(graph, config, { query: projected.query, presentKey, before: probed.at(-1) }, probes);
      const below = indices === null ? [] : [massBelowEdges(graph, found.probabilities, indices)];
      probed.push(found);
      masses.push(...below);
      // Else keys and values of all layers, at full capacity, would stay until the last layer is computed.
      return onceComputed(graph, mixed, config.heads * config.headSize, [...newRows, ...Object.values(found.probes), found.total, ...below]);
    },
  });
  stackProbes(graph, probed, config);
  if (distributions) stackMasses(graph, masses, config);
  answerRows(graph, config, hidden, { norm: FINAL_NORM, projection: outputProjection(config) });
  return graph.encode('decoder');
}

interface RunInputs {
  readonly lastKey: Value;
  readonly presentTokens: Value;
  readonly newStart: Value;
  readonly newEnd: Value;
}

/** Attention of one layer, whose new cache rows become outputs of the graph. */
function attend(graph: GraphBuilder, config: ModelConfig, layer: number, projected: Projected, run: RunInputs) {
  const names = cacheNames(layer);
  const cacheShape = [1, config.keyValueHeads, 'C', config.headSize];
  const pastKey = graph.input(names.pastKey, 'float32', cacheShape);
  const pastValue = graph.input(names.pastValue, 'float32', cacheShape);
  const window = config.windows?.[layer] ?? null;
  const { mixed, presentKey, presentValue } = fusedAttention(graph, config, window, { ...projected, ...run, pastKey, pastValue });
  const newShape = [1, config.keyValueHeads, 'S', config.headSize];
  const newRows = [presentKey, presentValue].map((present) => graph.slice(present, run.newStart, run.newEnd, 2));
  graph.output(names.newKey, newRows[0] ?? '', 'float32', newShape);
  graph.output(names.newValue, newRows[1] ?? '', 'float32', newShape);
  return { mixed, presentKey, newRows };
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
