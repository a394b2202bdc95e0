/**
 * Plain RoPE: direct extrapolation.
 *
 *   inv_j = b^(-2j/d), attention factor 1
 *
 * Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding".
 */
import type { MethodDefinition } from './definition.js';
import { plainInverseFrequencies } from './plain.js';

export const none: MethodDefinition<'none'> = {
  tableDependsOnLength: false,
  source: 'Su et al. 2021, "RoFormer", section 3.2.2',
  resolve: (method) => method,
  table: (_, { rotarySize, base }) => ({ inverseFrequencies: plainInverseFrequencies(rotarySize, base), attentionFactor: 1 }),
  label: () => 'none',
};
