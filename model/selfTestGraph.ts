/**
 * One attention layer computed twice in one graph: by the fused operator that decoders use, and by the definition.
 *
 *   reference: rotate(q), rotate(k) half-split; softmax(q k^T / sqrt(headSize) + causal mask) v
 *
 * A device whose kernels are broken shows it here, before it produces a measurement (evaluation/selfTest.ts).
 */
import { GraphBuilder, MICROSOFT, type Value } from './graphBuilder.js';

/** Grouped queries, so that the mapping of query to key heads is tested too. */
export const SELF_TEST = { tokens: 24, heads: 4, keyValueHeads: 2, headSize: 32 } as const;

const HIDDEN_SCORE = -1e9;

/** Inputs: query [1, T, heads x headSize], key and value [1, T, keyValueHeads x headSize], cos and sin [T, headSize / 2],
 * past [1, keyValueHeads, T, headSize] (empty), last_key [1], present_tokens []. Outputs `fused` and `reference`. */
export function selfTestGraph(): Uint8Array {
  const { tokens, heads, keyValueHeads, headSize } = SELF_TEST;
  const graph = new GraphBuilder();
  const query = graph.input('query', 'float32', [1, tokens, heads * headSize]);
  const key = graph.input('key', 'float32', [1, tokens, keyValueHeads * headSize]);
  const value = graph.input('value', 'float32', [1, tokens, keyValueHeads * headSize]);
  const past = graph.input('past', 'float32', [1, keyValueHeads, tokens, headSize]);
  const cos = graph.input('cos', 'float32', [tokens, headSize / 2]);
  const sin = graph.input('sin', 'float32', [tokens, headSize / 2]);
  const lastKey = graph.input('last_key', 'int32', [1]);
  const present = graph.input('present_tokens', 'int32', []);

  const attributes = {
    num_heads: { int: heads },
    kv_num_heads: { int: keyValueHeads },
    do_rotary: { int: 1 },
    rotary_interleaved: { int: 0 },
    scale: 1 / Math.sqrt(headSize),
  };
  const [fused = ''] = graph.nodes('GroupQueryAttention', [query, key, value, past, past, lastKey, present, cos, sin], 3, attributes, MICROSOFT);
  const shape = ['B', 'T', 'W'];
  graph.output('fused', fused, 'float32', shape);
  graph.output('reference', reference(graph, { query, key, value, cos, sin }), 'float32', shape);
  return graph.encode('self-test');
}

function reference(graph: GraphBuilder, { query, key, value, cos, sin }: Record<'query' | 'key' | 'value' | 'cos' | 'sin', Value>): Value {
  const { tokens, heads, keyValueHeads, headSize } = SELF_TEST;
  const rotated = (rows: Value, count: number): Value => rotate(graph, byHead(graph, rows, count), cos, sin);
  const repeated = (rows: Value): Value => {
    const shape = [keyValueHeads, heads / keyValueHeads, tokens, headSize];
    return graph.reshape(graph.node('Expand', [graph.node('Unsqueeze', [rows, graph.ints(1)]), graph.ints(...shape)]), heads, tokens, headSize);
  };
  const scores = graph.mul(
    graph.node('MatMul', [rotated(query, heads), graph.transpose(repeated(rotated(key, keyValueHeads)), 0, 2, 1)]),
    graph.scalar(1 / Math.sqrt(headSize)),
  );
  const hidden = Array.from({ length: tokens * tokens }, (_, index) => (index % tokens > Math.floor(index / tokens) ? HIDDEN_SCORE : 0));
  const p = graph.node('Softmax', [graph.add(scores, graph.constant('float32', hidden, [1, tokens, tokens]))], { axis: { int: -1 } });
  const mixed = graph.node('MatMul', [p, repeated(byHead(graph, value, keyValueHeads))]); // [heads, T, headSize]
  return graph.reshape(graph.transpose(mixed, 1, 0, 2), 1, tokens, heads * headSize);
}

/** [1, T, count x headSize] -> [count, T, headSize] */
const byHead = (graph: GraphBuilder, rows: Value, count: number): Value =>
  graph.transpose(graph.reshape(rows, SELF_TEST.tokens, count, SELF_TEST.headSize), 1, 0, 2);

function rotate(graph: GraphBuilder, rows: Value, cos: Value, sin: Value): Value {
  const half = SELF_TEST.headSize / 2;
  const first = graph.slice(rows, graph.ints(0), graph.ints(half), 2);
  const second = graph.slice(rows, graph.ints(half), graph.ints(2 * half), 2);
  return graph.concat(
    [graph.sub(graph.mul(first, cos), graph.mul(second, sin)), graph.add(graph.mul(second, cos), graph.mul(first, sin))],
    2,
  );
}
