/**
 * Attention probes of the last P rows of a chunk, computed beside the fused attention, which shows no distribution.
 *
 *   p = softmax(q k^T / sqrt(headSize)) over the visible keys,  H = -sum p ln p (nats)
 *   also max p, its first position, p at key 0, sum of p over a span
 *
 * Entropy as Algorithm 1 of Zhong et al. 2025 (COLING, main.600) defines it; only the rows asked for are computed,
 * never an S x T matrix. A sum is added up in packets that follow its row's place in memory, so its last bits belong to the
 * number of rows asked for and to n, both of which a cell's key fixes.
 */
import { HIDDEN_SCORE } from './attention.js';
import type { ModelConfig } from './config.js';
import { DECODER, PROBES, type ProbeName } from './decoderInterface.js';
import type { GraphBuilder, Value } from './graphBuilder.js';

interface ProbeInputs {
  readonly start: Value;
  readonly keys: Value;
  /** By layer, [1, P, n]: 0 where a key is visible, -1e9 where not; one value for all layers of one window. */
  readonly masks: readonly Value[];
  readonly spanStart: Value;
  readonly spanEnd: Value;
}

/** Declares the probes' inputs and what layers share. */
export function probeInputs(graph: GraphBuilder, config: ModelConfig): ProbeInputs {
  const names = DECODER.inputs;
  const start = graph.input(names.probeStart, 'int64', [1]);
  const positions = graph.input(names.probePositions, 'int64', ['P']);
  const keys = graph.input(names.probeKeys, 'int64', [1]);
  return {
    start,
    keys,
    masks: layerMasks(graph, config, positions, keys),
    spanStart: graph.input(names.spanStart, 'int64', [1]),
    spanEnd: graph.input(names.spanEnd, 'int64', [1]),
  };
}

/** A row at position p sees the keys k <= p, in a window of w keys only those of k > p - w. */
function layerMasks(graph: GraphBuilder, { layers, windows }: ModelConfig, positions: Value, keys: Value): Value[] {
  const zero = graph.constant('int64', [0], []);
  const one = graph.constant('int64', [1], []);
  const keyPositions = graph.node('Range', [zero, graph.node('Squeeze', [keys]), one]); // [n]
  const rowPositions = graph.reshape(positions, 1, -1, 1);
  const later = graph.node('Greater', [keyPositions, rowPositions]); // [1, P, n]
  const made = new Map<number | null, Value>();
  return Array.from({ length: layers }, (_, layer) => {
    const window = windows?.[layer] ?? null;
    const known = made.get(window);
    if (known !== undefined) return known;
    const hidden =
      window === null ? later : graph.node('Or', [later, graph.node('LessOrEqual', [keyPositions, graph.sub(rowPositions, graph.ints(window))])]);
    const mask = graph.node('Where', [hidden, graph.scalar(HIDDEN_SCORE), graph.scalar(0)]);
    made.set(window, mask);
    return mask;
  });
}

/**
 * Probes of one layer, each [heads, P].
 * @param query [1, S, heads x headSize], rotated
 * @param presentKey [1, keyValueHeads, C, headSize], rotated
 */
export function probeBranch(graph: GraphBuilder, config: ModelConfig, layer: number, query: Value, presentKey: Value, inputs: ProbeInputs): Record<ProbeName, Value> {
  const { heads, keyValueHeads, headSize } = config;
  const rows = graph.slice(query, inputs.start, graph.ints(Number.MAX_SAFE_INTEGER), 1);
  const byHead = graph.transpose(graph.reshape(rows, -1, heads, headSize), 1, 0, 2); // [heads, P, headSize]
  // The query heads of a key-value head are stacked as rows of one product.
  const grouped = graph.node('Reshape', [byHead, graph.ints(keyValueHeads, -1, headSize)], { allowzero: { int: 0 } });
  const keys = graph.reshape(graph.slice(presentKey, graph.ints(0), inputs.keys, 2), keyValueHeads, -1, headSize); // [keyValueHeads, n, headSize]
  const groupedScores = graph.linear(grouped, keys, 1 / Math.sqrt(headSize));
  const scores = graph.add(graph.node('Reshape', [groupedScores, graph.concat([graph.ints(heads, -1), inputs.keys], 0)]), inputs.masks[layer] ?? ''); // [heads, P, n]

  const logP = graph.node('LogSoftmax', [scores], { axis: { int: -1 } });
  const p = graph.node('Exp', [logP]);
  return {
    entropy: graph.node('Neg', [graph.sumOver(graph.mul(p, logP), 2)]),
    maxProbability: graph.node('ReduceMax', [p, graph.ints(2)], { keepdims: { int: 0 } }),
    maxPosition: graph.node('ArgMax', [p], { axis: { int: 2 }, keepdims: { int: 0 } }),
    sinkMass: graph.sumOver(graph.slice(p, graph.ints(0), graph.ints(1), 2), 2),
    spanMass: graph.sumOver(graph.slice(p, inputs.spanStart, inputs.spanEnd, 2), 2),
  };
}

/** Makes the graph's outputs [layers, heads, P] of the layers' probes. */
export function stackProbes(graph: GraphBuilder, layers: readonly Readonly<Record<ProbeName, Value>>[], config: ModelConfig): void {
  for (const [probe, name] of Object.entries(PROBES) as [ProbeName, string][]) {
    const slices = layers.map((layer) => graph.node('Unsqueeze', [layer[probe], graph.ints(0)]));
    graph.output(name, graph.concat(slices, 0), probe === 'maxPosition' ? 'int64' : 'float32', [config.layers, config.heads, 'P']);
  }
}
