/**
 * Attention distributions of the probed rows, binned in the graph: what leaves it is, for every head, the mean over rows of
 * the mass below each edge.
 *
 *   below_e = mean over rows r of sum_{k < edge(r, e)} p_r(k),   mass of the bin [e, e + 1) = below_{e+1} - below_e
 *
 * Sums are in float64: a bin's mass is a difference of two of them.
 */
import { DECODER } from './decoderInterface.js';
import type { GraphBuilder, Value } from './graphBuilder.js';

/** Declares the edges; [heads, P, E] */
export const edgeIndices = (graph: GraphBuilder, { heads }: { readonly heads: number }): Value =>
  graph.node('Expand', [graph.input(DECODER.inputs.edges, 'int64', [1, 'P', 'E']), graph.ints(heads, 1, 1)]);

/**
 * Of one layer.
 * @param p [heads, P, n]
 * @param indices {@link edgeIndices}
 * @returns [1, heads, E]
 */
export function massBelowEdges(graph: GraphBuilder, p: Value, indices: Value): Value {
  // One more place at the end, so that an edge may lie behind the last key.
  const padded = graph.node('Pad', [graph.cast(p, 'float64'), graph.ints(0, 0, 0, 0, 0, 1)]);
  const below = graph.node('CumSum', [padded, graph.constant('int64', [2], [])], { exclusive: { int: 1 } });
  const atEdges = graph.node('GatherElements', [below, indices], { axis: { int: 2 } }); // [heads, P, E]
  return graph.node('Unsqueeze', [graph.node('ReduceMean', [atEdges, graph.ints(1)], { keepdims: { int: 0 } }), graph.ints(0)]);
}

/** Makes the graph's output of the layers' masses. */
export const stackMasses = (graph: GraphBuilder, layers: readonly Value[], { heads }: { readonly heads: number }): void =>
  graph.output(DECODER.outputs.massBelow, graph.concat(layers, 0), 'float64', [layers.length, heads, 'E']);
