/**
 * NTK-aware scaling: a larger base, so that the slowest pair is interpolated by s and the fastest not at all.
 *
 *   b' = b s^(d/(d-2)),  inv_j = b'^(-2j/d), attention factor 1
 *
 * The base is fixed, whatever the length of the sequence (dynamic-ntk is another method). It may also be given itself:
 * Zhong et al. 2025 (COLING, main.600) set b' = 1,000,000.
 * bloc97 2023, "NTK-Aware Scaled RoPE"; Peng et al. 2023, "YaRN", section 3.1, definition 1.
 */
import { RopesweepError } from '../domain/errors.js';
import type { RopeGeometry } from '../domain/method.js';
import type { MethodDefinition, MethodOf } from './definition.js';
import { extentLabel, resolveFactor } from './extent.js';
import { ntkBase } from './ntkBase.js';
import { plainInverseFrequencies } from './plain.js';

export const ntk: MethodDefinition<'ntk'> = {
  tableDependsOnLength: false,
  source: 'bloc97 2023, "NTK-Aware Scaled RoPE"; Peng et al. 2023, "YaRN", section 3.1',
  resolve: (method, geometry) => {
    if (method.base === undefined) {
      if (method.factor === undefined && method.targetContextTokens === undefined) {
        throw new RopesweepError('METHOD_INVALID', {
          where: 'ntk',
          what: 'neither factor nor targetContextTokens nor a new base is given',
          mend: 'Give a factor (8), or the new rope base itself (1000000; on the command line --new-base).',
        });
      }
      return { name: 'ntk', factor: resolveFactor('ntk', method, geometry) };
    }
    if (method.factor !== undefined || method.targetContextTokens !== undefined) {
      throw new RopesweepError('METHOD_INVALID', {
        where: 'ntk',
        what: `base ${method.base} and ${method.factor === undefined ? `targetContextTokens ${String(method.targetContextTokens)}` : `factor ${method.factor}`} both name the new base`,
        mend: 'Give a factor (or target), or the new base itself.',
      });
    }
    if (method.base <= 1) {
      throw new RopesweepError('METHOD_INVALID', {
        where: 'ntk.base',
        what: `a rope base of ${method.base} gives no falling frequencies`,
        mend: 'Give a base above 1, usually far above that of the checkpoint.',
      });
    }
    return { name: 'ntk', base: method.base };
  },
  table: (method, geometry) => ({
    inverseFrequencies: plainInverseFrequencies(geometry.rotarySize, newBase(method, geometry)),
    attentionFactor: 1,
  }),
  label: (method) => (method.base === undefined ? `ntk ${extentLabel(method)}` : `ntk base ${method.base}`),
};

/** b' of the formula above. */
const newBase = (method: MethodOf<'ntk'>, geometry: RopeGeometry): number =>
  method.base ?? ntkBase('ntk', geometry, resolveFactor('ntk', method, geometry));
