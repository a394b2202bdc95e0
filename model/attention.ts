/**
 * The parts of attention that decoder, probes and self-test have in common, so that what is tested is what is used.
 */
import type { ModelConfig } from './config.js';
import { MICROSOFT, type GraphBuilder, type Value } from './graphBuilder.js';

export type HeadShape = Pick<ModelConfig, 'heads' | 'keyValueHeads' | 'headSize'>;

/** Score of a key that a row does not see: not -infinity, so that its p is exactly 0 and p ln p stays 0, not NaN. */
export const HIDDEN_SCORE = -1e9;

export interface FusedInputs {
  /** [1, S, heads x headSize], not rotated */
  readonly query: Value;
  /** [1, S, keyValueHeads x headSize], not rotated */
  readonly key: Value;
  readonly value: Value;
  /** [1, keyValueHeads, C, headSize], keys rotated; T - S rows count */
  readonly pastKey: Value;
  readonly pastValue: Value;
  /** int32 [1]: T - 1 */
  readonly lastKey: Value;
  /** int32 []: T */
  readonly presentTokens: Value;
  /** [at least T, headSize / 2] */
  readonly cos: Value;
  readonly sin: Value;
}

/**
 * Causal attention over cache and chunk in one operator, which rotates queries and keys (half-split layout).
 * Ainslie et al. 2023, "GQA": heads / keyValueHeads query heads share one key-value head.
 *
 * @returns mixed values [1, S, heads x headSize]; keys and values after the chunk, [1, keyValueHeads, C, headSize]
 */
export function fusedAttention(graph: GraphBuilder, { heads, keyValueHeads, headSize }: HeadShape, inputs: FusedInputs) {
  const { query, key, value, pastKey, pastValue, lastKey, presentTokens, cos, sin } = inputs;
  const [mixed = '', presentKey = '', presentValue = ''] = graph.nodes(
    'GroupQueryAttention',
    [query, key, value, pastKey, pastValue, lastKey, presentTokens, cos, sin],
    3,
    {
      num_heads: { int: heads },
      kv_num_heads: { int: keyValueHeads },
      do_rotary: { int: 1 },
      rotary_interleaved: { int: 0 },
      scale: 1 / Math.sqrt(headSize),
    },
    MICROSOFT,
  );
  return { mixed, presentKey, presentValue };
}

/**
 * Half-split rotation: (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin).
 * @param value [heads, rows, headSize]
 * @param tables cos and sin of these rows, [rows, headSize / 2] each
 */
export function rotate(graph: GraphBuilder, value: Value, headSize: number, { cos, sin }: { readonly cos: Value; readonly sin: Value }): Value {
  const half = headSize / 2;
  const first = graph.slice(value, graph.ints(0), graph.ints(half), 2);
  const second = graph.slice(value, graph.ints(half), graph.ints(headSize), 2);
  return graph.concat(
    [graph.sub(graph.mul(first, cos), graph.mul(second, sin)), graph.add(graph.mul(second, cos), graph.mul(first, sin))],
    2,
  );
}
