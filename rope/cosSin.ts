/**
 * cos and sin tables of a RoPE table.
 *
 *   cos[p][j] = a cos(p inv_j),  sin[p][j] = a sin(p inv_j),   a = attention factor
 *
 * Su et al. 2021, "RoFormer", equation 34. Phases are float64 and only the result is rounded to float32: at position
 * 131071 a float32 phase is off by up to 8e-3 rad. Row p does not depend on the length of the table.
 */
import type { RopeTable } from '../domain/method.js';

export interface CosSinTables {
  /** [lengthTokens][rotarySize / 2] */
  readonly cos: Float32Array;
  /** [lengthTokens][rotarySize / 2] */
  readonly sin: Float32Array;
}

export function cosSinTables(table: RopeTable, lengthTokens: number): CosSinTables {
  const { inverseFrequencies, attentionFactor } = table;
  const pairs = inverseFrequencies.length;
  const cos = new Float32Array(lengthTokens * pairs);
  const sin = new Float32Array(lengthTokens * pairs);
  inverseFrequencies.forEach((frequency, pair) => {
    for (let position = 0; position < lengthTokens; position += 1) {
      const phase = position * frequency;
      cos[position * pairs + pair] = attentionFactor * Math.cos(phase);
      sin[position * pairs + pair] = attentionFactor * Math.sin(phase);
    }
  });
  return { cos, sin };
}
