/**
 * Llama 3's scaling: pairs that turn often over the trained context are left alone, those that turn seldom interpolated,
 * a ramp between.
 *
 *   turns_j = L0 / w_j = L0 inv_j / (2 pi),  inv_j = b^(-2j/d)
 *   turns_j > high:  inv_j                            (wavelength w_j < L0 / high)
 *   turns_j < low:   inv_j / s                        (wavelength w_j > L0 / low)
 *   between:         (1 - t) inv_j / s + t inv_j,     t = (turns_j - low) / (high - low)
 *   attention factor 1
 *
 * Grattafiori et al. 2024, "The Llama 3 Herd of Models"; the formula as published with the Llama 3.1 code (apply_scaling).
 */
import { RopesweepError } from '../domain/errors.js';
import { LLAMA3_DEFAULTS } from '../domain/method.js';
import type { MethodDefinition } from './definition.js';
import { extentLabel, resolveFactor } from './extent.js';
import { plainInverseFrequencies } from './plain.js';

export const llama3: MethodDefinition<'llama3'> = {
  tableDependsOnLength: false,
  source: 'Grattafiori et al. 2024, "The Llama 3 Herd of Models", and the code of Llama 3.1 (apply_scaling)',
  resolve: (method, geometry) => {
    const { lowFreqFactor, highFreqFactor } = method;
    if (highFreqFactor <= lowFreqFactor) {
      throw new RopesweepError('METHOD_INVALID', {
        where: 'llama3',
        what: `highFreqFactor ${highFreqFactor} is not above lowFreqFactor ${lowFreqFactor}`,
        mend: 'highFreqFactor counts the rotations of the fast pairs: give the larger number there.',
      });
    }
    return { name: 'llama3', factor: resolveFactor('llama3', method, geometry), lowFreqFactor, highFreqFactor };
  },
  table: (method, geometry) => {
    const { lowFreqFactor: low, highFreqFactor: high } = method;
    const factor = resolveFactor('llama3', method, geometry);
    return {
      inverseFrequencies: plainInverseFrequencies(geometry.rotarySize, geometry.base).map((frequency) => {
        const turns = (geometry.originalContextTokens * frequency) / (2 * Math.PI);
        const kept = Math.min(Math.max((turns - low) / (high - low), 0), 1);
        return (1 - kept) * (frequency / factor) + kept * frequency;
      }),
      attentionFactor: 1,
    };
  },
  label: (method) => {
    const { lowFreqFactor: low, highFreqFactor: high } = method;
    const isDefault = low === LLAMA3_DEFAULTS.lowFreqFactor && high === LLAMA3_DEFAULTS.highFreqFactor;
    return `llama3 ${extentLabel(method)}${isDefault ? '' : `, low ${low}, high ${high}`}`;
  },
};
