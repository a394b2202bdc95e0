/**
 * The parts of attention that decoder and self-test have in common, so that what is tested is what is used.
 */
import type { ModelConfig } from './config.js';
import { MICROSOFT, type GraphBuilder, type Value } from './graphBuilder.js';

export type HeadShape = Pick<ModelConfig, 'heads' | 'keyValueHeads' | 'headSize'>;

/** Score of a key that a row does not see: not -infinity, so that its p is exactly 0 and p ln p stays 0, not NaN. */
export const HIDDEN_SCORE = -1e9;

export interface Rotation {
  /** [more rows than any position, rotarySize / 2] */
  readonly cos: Value;
  readonly sin: Value;
  /** int64 [1]: position of the first row; the others follow it */
  readonly start: Value;
  /** Leading dimensions of a head that rotate; the rest stays as it is. */
  readonly rotarySize: number;
}

/**
 * Rotates half-split pairs of every head: (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin). Su et al. 2021, "RoFormer".
 * @param value [1, S, heads x headSize]
 */
export const rotate = (graph: GraphBuilder, value: Value, heads: number, { cos, sin, start, rotarySize }: Rotation): Value =>
  graph.node(
    'RotaryEmbedding',
    [value, start, cos, sin],
    { num_heads: { int: heads }, rotary_embedding_dim: { int: rotarySize }, interleaved: { int: 0 } },
    MICROSOFT,
  );

export interface FusedInputs {
  /** [1, S, heads x headSize], rotated */
  readonly query: Value;
  /** [1, S, keyValueHeads x headSize], rotated */
  readonly key: Value;
  readonly value: Value;
  /** [1, keyValueHeads, C, headSize], keys rotated; T - S rows count */
  readonly pastKey: Value;
  readonly pastValue: Value;
  /** int32 [1]: T - 1 */
  readonly lastKey: Value;
  /** int32 []: T */
  readonly presentTokens: Value;
}

/**
 * Causal attention over cache and chunk in one operator.
 * Ainslie et al. 2023, "GQA": heads / keyValueHeads query heads share one key-value head.
 *
 * @param window keys that a query sees, its own among them (Beltagy et al. 2020, "Longformer"); null: all before it
 * @returns mixed values [1, S, heads x headSize]; keys and values after the chunk, [1, keyValueHeads, C, headSize]
 */
export function fusedAttention(graph: GraphBuilder, { heads, keyValueHeads, headSize }: HeadShape, window: number | null, inputs: FusedInputs) {
  const { query, key, value, pastKey, pastValue, lastKey, presentTokens } = inputs;
  const [mixed = '', presentKey = '', presentValue = ''] = graph.nodes(
    'GroupQueryAttention',
    [query, key, value, pastKey, pastValue, lastKey, presentTokens],
    3,
    {
      num_heads: { int: heads },
      kv_num_heads: { int: keyValueHeads },
      do_rotary: { int: 0 },
      scale: 1 / Math.sqrt(headSize),
      ...(window !== null && { local_window_size: { int: window } }),
    },
    MICROSOFT,
  );
  return { mixed, presentKey, presentValue };
}
