/**
 * One attention layer computed twice in one graph: by the fused operator that decoders use, and by the definition.
 *
 *   reference: rotate(q), rotate(k) half-split; softmax(q k^T / sqrt(headSize) + causal mask) v
 *
 * A device whose kernels are broken shows it here, before it produces a measurement (evaluation/selfTest.ts).
 */
import { fusedAttention, rotate } from './attention.js';
import { GraphBuilder, type Value } from './graphBuilder.js';
import { attendByDefinition, rotateByDefinition } from './referenceAttention.js';

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
  const turned = (rows: Value, count: number): Value => rotateByDefinition(graph, { ...SELF_TEST, heads: count }, rows, { cos, sin });
  const byDefinition = { query: turned(query, heads), key: turned(key, keyValueHeads), value };
  const shape = ['B', 'T', 'W'];
  graph.output('fused', mixed, 'float32', shape);
  graph.output('reference', attendByDefinition(graph, SELF_TEST, window, byDefinition), 'float32', shape);
  return graph.encode('self-test');
}
