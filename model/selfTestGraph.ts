/**
 * One attention layer computed twice in one graph: by the fused operator that decoders use, and by the definition.
 *
 *   reference: rotate(q), rotate(k) half-split; softmax(q k^T / sqrt(headSize) + causal mask) v
 *
 * A device whose kernels are broken shows it here, before it produces a measurement (evaluation/selfTest.ts).
 */
import { fusedAttention, HIDDEN_SCORE, rotate } from './attention.js';
import { GraphBuilder, type Value } from './graphBuilder.js';

/** Grouped queries, so that the mapping of query to key heads is tested too; a part of each head rotates. */
export const SELF_TEST = { tokens: 24, heads: 4, keyValueHeads: 2, headSize: 32, rotarySize: 16 } as const;

/**
 * Inputs: query [1, T, heads x headSize], key and value [1, T, keyValueHeads x headSize], cos and sin [T, rotarySize / 2],
 * past [1, keyValueHeads, T, headSize] (empty), start [1] (0), last_key [1], present_tokens []. Outputs `fused` and `reference`.
 * @param window keys that a query sees; null: all before it
 */
export function selfTestGraph(window: number | null): Uint8Array {
  const { tokens, heads, keyValueHeads, headSize, rotarySize } = SELF_TEST;
  const graph = new GraphBuilder();
  const query = graph.input('query', 'float32', [1, tokens, heads * headSize]);
  const key = graph.input('key', 'float32', [1, tokens, keyValueHeads * headSize]);
  const value = graph.input('value', 'float32', [1, tokens, keyValueHeads * headSize]);
  const past = graph.input('past', 'float32', [1, keyValueHeads, tokens, headSize]);
  const cos = graph.input('cos', 'float32', [tokens, rotarySize / 2]);
  const sin = graph.input('sin', 'float32', [tokens, rotarySize / 2]);
  const start = graph.input('start', 'int64', [1]);
  const lastKey = graph.input('last_key', 'int32', [1]);
  const present = graph.input('present_tokens', 'int32', []);

  const rotation = { cos, sin, start, rotarySize };
  const rotated = { query: rotate(graph, query, heads, rotation), key: rotate(graph, key, keyValueHeads, rotation) };
  const { mixed } = fusedAttention(graph, SELF_TEST, window, { ...rotated, value, pastKey: past, pastValue: past, lastKey, presentTokens: present });
  const shape = ['B', 'T', 'W'];
  graph.output('fused', mixed, 'float32', shape);
  graph.output('reference', reference(graph, window, { query, key, value, cos, sin }), 'float32', shape);
  return graph.encode('self-test');
}

function reference(graph: GraphBuilder, window: number | null, { query, key, value, cos, sin }: Record<'query' | 'key' | 'value' | 'cos' | 'sin', Value>): Value {
  const { tokens, heads, keyValueHeads, headSize } = SELF_TEST;
  const rotated = (rows: Value, count: number): Value => halfSplit(graph, byHead(graph, rows, count), { cos, sin });
  const repeated = (rows: Value): Value => {
    const shape = [keyValueHeads, heads / keyValueHeads, tokens, headSize];
    return graph.reshape(graph.node('Expand', [graph.node('Unsqueeze', [rows, graph.ints(1)]), graph.ints(...shape)]), heads, tokens, headSize);
  };
  const scores = graph.mul(
    graph.node('MatMul', [rotated(query, heads), graph.transpose(repeated(rotated(key, keyValueHeads)), 0, 2, 1)]),
    graph.scalar(1 / Math.sqrt(headSize)),
  );
  const hidden = Array.from({ length: tokens * tokens }, (_, index) => {
    const [row, column] = [Math.floor(index / tokens), index % tokens];
    return column > row || (window !== null && column <= row - window) ? HIDDEN_SCORE : 0;
  });
  const p = graph.node('Softmax', [graph.add(scores, graph.constant('float32', hidden, [1, tokens, tokens]))], { axis: { int: -1 } });
  const mixed = graph.node('MatMul', [p, repeated(byHead(graph, value, keyValueHeads))]); // [heads, T, headSize]
  return graph.reshape(graph.transpose(mixed, 1, 0, 2), 1, tokens, heads * headSize);
}

/** [1, T, count x headSize] -> [count, T, headSize] */
const byHead = (graph: GraphBuilder, rows: Value, count: number): Value =>
  graph.transpose(graph.reshape(rows, SELF_TEST.tokens, count, SELF_TEST.headSize), 1, 0, 2);

/** (x1, x2, rest) -> (x1 cos - x2 sin, x2 cos + x1 sin, rest), all [count, T, ...] */
function halfSplit(graph: GraphBuilder, value: Value, { cos, sin }: Record<'cos' | 'sin', Value>): Value {
  const { headSize, rotarySize } = SELF_TEST;
  const part = (from: number, to: number): Value => graph.slice(value, graph.ints(from), graph.ints(to), 2);
  const [first, second] = [part(0, rotarySize / 2), part(rotarySize / 2, rotarySize)];
  return graph.concat(
    [graph.sub(graph.mul(first, cos), graph.mul(second, sin)), graph.add(graph.mul(second, cos), graph.mul(first, sin)), part(rotarySize, headSize)],
    2,
  );
}
