/**
 * The order in which ONNX Runtime computes the layers of a graph and what is looked at in each. Left to itself it runs all
 * layers first and their probes afterwards, with every layer's queries and keys kept until then.
 */
import type { GraphBuilder, Value } from './graphBuilder.js';

/**
 * `mixed`, unchanged, once `others` are computed: the shape that it is given is cut out of one list with the shapes of the
 * others, so what belongs to a layer comes before the next layer.
 * @param mixed [1, S, width]
 */
export function onceComputed(graph: GraphBuilder, mixed: Value, width: number, others: readonly Value[]): Value {
  const shapes = graph.concat([graph.ints(1, -1, width), ...others.map((value) => graph.node('Shape', [value]))], 0);
  return graph.node('Reshape', [mixed, graph.slice(shapes, graph.ints(0), graph.ints(3), 0)]);
}
