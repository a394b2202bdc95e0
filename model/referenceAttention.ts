/**
 * Rotation and causal attention by their definitions, in standard operators, for a sequence of fixed length T.
 *
 *   rotate   (x1, x2, rest) -> (x1 cos - x2 sin, x2 cos + x1 sin, rest)                Su et al. 2021, "RoFormer"
 *   attend   softmax(q k^T / sqrt(headSize) + mask) v                                  Vaswani et al. 2017
 */
import { HIDDEN_SCORE, type HeadShape } from './attention.js';
import type { GraphBuilder, Value } from './graphBuilder.js';

export interface SequenceShape extends HeadShape {
  /** T */
  readonly tokens: number;
  /** Leading dimensions of a head that rotate. */
  readonly rotarySize: number;
}

/**
 * @param value [1, T, heads x headSize]
 * @param tables [T, rotarySize / 2] each
 */
export function rotateByDefinition(graph: GraphBuilder, shape: Omit<SequenceShape, 'keyValueHeads'>, value: Value, tables: Record<'cos' | 'sin', Value>): Value {
  const { tokens, heads, headSize, rotarySize } = shape;
  const { cos, sin } = tables;
  const split = byHead(graph, shape, value, heads);
  const part = (from: number, to: number): Value => graph.slice(split, graph.ints(from), graph.ints(to), 2);
  const [first, second] = [part(0, rotarySize / 2), part(rotarySize / 2, rotarySize)];
  const rotated = [graph.sub(graph.mul(first, cos), graph.mul(second, sin)), graph.add(graph.mul(second, cos), graph.mul(first, sin))];
  const whole = graph.concat(rotarySize === headSize ? rotated : [...rotated, part(rotarySize, headSize)], 2);
  return graph.reshape(graph.transpose(whole, 1, 0, 2), 1, tokens, heads * headSize);
}

/**
 * @param window keys that a query sees, its own among them; null: all before it
 * @param inputs query [1, T, heads x headSize], key and value [1, T, keyValueHeads x headSize], rotated
 * @returns [1, T, heads x headSize]
 */
export function attendByDefinition(graph: GraphBuilder, shape: SequenceShape, window: number | null, inputs: Record<'query' | 'key' | 'value', Value>): Value {
  const { tokens, heads, keyValueHeads, headSize } = shape;
  const repeated = (value: Value): Value => {
    const rows = byHead(graph, shape, value, keyValueHeads);
    const expanded = graph.node('Expand', [graph.node('Unsqueeze', [rows, graph.ints(1)]), graph.ints(keyValueHeads, heads / keyValueHeads, tokens, headSize)]);
    return graph.reshape(expanded, heads, tokens, headSize);
  };
  const products = graph.node('MatMul', [byHead(graph, shape, inputs.query, heads), graph.transpose(repeated(inputs.key), 0, 2, 1)]);
  const scores = graph.add(graph.mul(products, graph.scalar(1 / Math.sqrt(headSize))), mask(graph, tokens, window));
  const p = graph.node('Softmax', [scores], { axis: { int: -1 } });
  const mixed = graph.node('MatMul', [p, repeated(inputs.value)]); // [heads, T, headSize]
  return graph.reshape(graph.transpose(mixed, 1, 0, 2), 1, tokens, heads * headSize);
}

/** [1, T, T]: what hides later keys, and those that have left the window. */
function mask(graph: GraphBuilder, tokens: number, window: number | null): Value {
  const positions = Array.from({ length: tokens }, (_, position) => position);
  const [rows, keys] = [graph.constant('int64', positions, [1, tokens, 1]), graph.constant('int64', positions, [1, 1, tokens])];
  const later = graph.node('Greater', [keys, rows]);
  const hidden = window === null ? later : graph.node('Or', [later, graph.node('LessOrEqual', [keys, graph.sub(rows, graph.ints(window))])]);
  return graph.node('Where', [hidden, graph.scalar(HIDDEN_SCORE), graph.scalar(0)]);
}

/** [1, T, count x headSize] -> [count, T, headSize] */
const byHead = (graph: GraphBuilder, { tokens, headSize }: Pick<SequenceShape, 'tokens' | 'headSize'>, value: Value, count: number): Value =>
  graph.transpose(graph.reshape(value, tokens, count, headSize), 1, 0, 2);
