/**
 * Position interpolation: every position is divided by the factor.
 *
 *   inv_j = b^(-2j/d) / s, attention factor 1
 *
 * Chen et al. 2023, "Extending Context Window of Large Language Models via Positional Interpolation", equation 4.
 */
import type { MethodDefinition } from './definition.js';
import { extentLabel, resolveFactor } from './extent.js';
import { plainInverseFrequencies } from './plain.js';

export const pi: MethodDefinition<'pi'> = {
  tableDependsOnLength: false,
  source: 'Chen et al. 2023, "Extending Context Window of Large Language Models via Positional Interpolation", equation 4',
  resolve: (method, geometry) => ({ name: 'pi', factor: resolveFactor('pi', method, geometry) }),
  table: (method, geometry) => {
    const factor = resolveFactor('pi', method, geometry);
    return {
      inverseFrequencies: plainInverseFrequencies(geometry.rotarySize, geometry.base).map((frequency) => frequency / factor),
      attentionFactor: 1,
    };
  },
  label: (method) => `pi ${extentLabel(method)}`,
};
