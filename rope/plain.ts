/**
 * Inverse frequencies of plain RoPE, the ground every method stands on.
 *
 *   inv_j = b^(-2j/d),  j = 0 .. d/2 - 1
 *
 * d = rotary size, b = rope theta. Su et al. 2021, "RoFormer", section 3.2.2 (theta_i = 10000^(-2(i-1)/d)).
 */

/** @returns [rotarySize / 2] radians per token, fastest pair first, in float64 */
export function plainInverseFrequencies(rotarySize: number, base: number): number[] {
  return Array.from({ length: rotarySize / 2 }, (_, pair) => base ** ((-2 * pair) / rotarySize));
}
