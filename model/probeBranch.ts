/**
 * Attention probes of the last P rows of a chunk, computed beside the fused attention, which shows no distribution.
 *
 *   p = softmax(q k^T / sqrt(headSize)) over the visible keys,  H = -sum p ln p (nats)
 *   also max p, its first position, and sums of p: key 0, keys 0 to 3, the last w keys, the keys of a mask
 *   entropy of the mean: H of p averaged over all heads of all layers, never below the mean of H
 *
 * Entropy as Algorithm 1 of Zhong et al. 2025 (COLING, main.600) defines it; only the rows asked for are computed,
 * never an S x T matrix. A sum is added up in packets that follow its row's place in memory, so its last bits belong to the
 * number of rows asked for and to n, both of which a cell's key fixes.
 */
import { HIDDEN_SCORE } from './attention.js';
import type { ModelConfig } from './config.js';
import { DECODER, PROBES, type ProbeName } from './decoderInterface.js';
import type { GraphBuilder, Value } from './graphBuilder.js';

export interface ProbeInputs {
  readonly start: Value;
  readonly keys: Value;
  /** By layer, [1, P, n]: 0 where a key is visible, -1e9 where not; one value for all layers of one window. */
  readonly masks: readonly Value[];
  /** [n] */
  readonly spanMask: Value;
  /** [1, P, n]: 1 for the last w keys of a row */
  readonly localMask: Value;
}

/** Declares the probes' inputs and what layers share. */
export function probeInputs(graph: GraphBuilder, config: ModelConfig): ProbeInputs {
  const names = DECODER.inputs;
  const start = graph.input(names.probeStart, 'int64', [1]);
  const positions = graph.input(names.probePositions, 'int64', ['P']);
  const keys = graph.input(names.probeKeys, 'int64', [1]);
  const zero = graph.constant('int64', [0], []);
  const one = graph.constant('int64', [1], []);
  const places: Places = {
    keys: graph.node('Range', [zero, graph.node('Squeeze', [keys]), one]),
    rows: graph.reshape(positions, 1, -1, 1),
  };
  const near = graph.node('Greater', [places.keys, graph.sub(places.rows, graph.input(names.localTokens, 'int64', [1]))]);
  return {
    start,
    keys,
    masks: layerMasks(graph, config, places),
    spanMask: graph.input(names.spanMask, 'float32', ['n']),
    localMask: graph.node('Where', [near, graph.scalar(1), graph.scalar(0)]),
  };
}

interface Places {
  /** [n] */
  readonly keys: Value;
  /** [1, P, 1] */
  readonly rows: Value;
}

/** A row at position p sees the keys k <= p, in a window of w keys only those of k > p - w. */
function layerMasks(graph: GraphBuilder, { layers, windows }: ModelConfig, { keys, rows }: Places): Value[] {
  const later = graph.node('Greater', [keys, rows]); // [1, P, n]
  const made = new Map<number | null, Value>();
  return Array.from({ length: layers }, (_, layer) => {
    const window = windows?.[layer] ?? null;
    const known = made.get(window);
    if (known !== undefined) return known;
    const hidden =
      window === null ? later : graph.node('Or', [later, graph.node('LessOrEqual', [keys, graph.sub(rows, graph.ints(window))])]);
    const mask = graph.node('Where', [hidden, graph.scalar(HIDDEN_SCORE), graph.scalar(0)]);
    made.set(window, mask);
    return mask;
  });
}

export interface LayerProbes {
  readonly layer: number;
  /** Each [heads, P]. */
  readonly probes: Readonly<Record<ProbeName, Value>>;
  /** [heads, P, n] */
  readonly probabilities: Value;
  /** [P, n]: p summed over the heads of this layer and of all before it. */
  readonly total: Value;
}

export interface Probed {
  /** [1, S, heads x headSize], rotated */
  readonly query: Value;
  /** [1, keyValueHeads, C, headSize], rotated */
  readonly presentKey: Value;
  /** Probes of the layer before; those of the first layer have none. */
  readonly before: LayerProbes | undefined;
}

/**
 * Probes of the next layer.
 * @param wide casts queries and keys to float32, where the weights are narrower
 */
export function probeBranch(
  graph: GraphBuilder,
  config: ModelConfig,
  { query, presentKey, before }: Probed,
  inputs: ProbeInputs,
  wide: (value: Value) => Value = (value) => value,
): LayerProbes {
  const { heads, keyValueHeads, headSize } = config;
  const layer = before === undefined ? 0 : before.layer + 1;
  const rows = wide(graph.slice(query, inputs.start, graph.ints(Number.MAX_SAFE_INTEGER), 1));
  const byHead = graph.transpose(graph.reshape(rows, -1, heads, headSize), 1, 0, 2); // [heads, P, headSize]
  // The query heads of a key-value head are stacked as rows of one product.
  const grouped = graph.node('Reshape', [byHead, graph.ints(keyValueHeads, -1, headSize)], { allowzero: { int: 0 } });
  const keys = graph.reshape(wide(graph.slice(presentKey, graph.ints(0), inputs.keys, 2)), keyValueHeads, -1, headSize); // [keyValueHeads, n, headSize]
  const groupedScores = graph.linear(grouped, keys, 1 / Math.sqrt(headSize));
  const scores = graph.add(graph.node('Reshape', [groupedScores, graph.concat([graph.ints(heads, -1), inputs.keys], 0)]), inputs.masks[layer] ?? ''); // [heads, P, n]

  const logP = graph.node('LogSoftmax', [scores], { axis: { int: -1 } });
  const p = graph.node('Exp', [logP]);
  const probes = {
    entropy: graph.node('Neg', [graph.sumOver(graph.mul(p, logP), 2)]),
    maxProbability: graph.node('ReduceMax', [p, graph.ints(2)], { keepdims: { int: 0 } }),
    maxPosition: graph.node('ArgMax', [p], { axis: { int: 2 }, keepdims: { int: 0 } }),
    sinkMass: graph.sumOver(graph.slice(p, graph.ints(0), graph.ints(1), 2), 2),
    sinkMass4: graph.sumOver(graph.slice(p, graph.ints(0), graph.ints(4), 2), 2),
    localMass: graph.sumOver(graph.mul(p, inputs.localMask), 2),
    spanMass: graph.sumOver(graph.mul(p, inputs.spanMask), 2),
  };
  const ofLayer = graph.sumOver(p, 0);
  return { layer, probes, probabilities: p, total: before === undefined ? ofLayer : graph.add(before.total, ofLayer) };
}

/** A probability of 0 times its logarithm is 0, not NaN: far below anything float32 can add to an entropy. */
const LEAST_PROBABILITY = 1e-30;

/** Entropy [P] of the distribution averaged over all heads of all layers. */
function entropyOfMean(graph: GraphBuilder, layers: readonly LayerProbes[], { heads }: ModelConfig): Value {
  const mean = graph.mul(layers.at(-1)?.total ?? '', graph.scalar(1 / (layers.length * heads)));
  const logarithm = graph.node('Log', [graph.node('Max', [mean, graph.scalar(LEAST_PROBABILITY)])]);
  return graph.node('Neg', [graph.sumOver(graph.mul(mean, logarithm), 1)]);
}

/** Makes the graph's outputs of the layers' probes: [layers, heads, P] each, and one [P] over all of them. */
export function stackProbes(graph: GraphBuilder, layers: readonly LayerProbes[], config: ModelConfig): void {
  graph.output(DECODER.outputs.entropyOfMean, entropyOfMean(graph, layers, config), 'float32', ['P']);
  for (const [probe, name] of Object.entries(PROBES) as [ProbeName, string][]) {
    const slices = layers.map((layer) => graph.node('Unsqueeze', [layer.probes[probe], graph.ints(0)]));
    graph.output(name, graph.concat(slices, 0), probe === 'maxPosition' ? 'int64' : 'float32', [config.layers, config.heads, 'P']);
  }
}
