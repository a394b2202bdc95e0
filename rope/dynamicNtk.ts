/**
 * Dynamic NTK: the base grows with the sequence, so that no sequence is interpolated more than its length asks for.
 *
 *   L  = max(length, L0)
 *   b' = b (1 + s (L / L0 - 1))^(d/(d-2))             = b (s L / L0 - (s - 1))^(d/(d-2))
 *   inv_j = b'^(-2j/d), attention factor 1
 *
 * Up to and including L0 this is plain RoPE; with s = 1 the base grows by (L / L0)^(d/(d-2)). All positions of a sequence
 * take the table of its whole length. The first form of b' is exactly b at L0 for every s.
 * emozilla 2023, "Dynamically Scaled RoPE", on bloc97's "NTK-Aware Scaled RoPE"; Peng et al. 2023, "YaRN", section 3.3.
 */
import type { MethodDefinition } from './definition.js';
import { extentLabel, resolveFactor } from './extent.js';
import { ntkBase } from './ntkBase.js';
import { plainInverseFrequencies } from './plain.js';

export const dynamicNtk: MethodDefinition<'dynamic-ntk'> = {
  tableDependsOnLength: true,
  source: 'emozilla 2023, "Dynamically Scaled RoPE"; Peng et al. 2023, "YaRN", section 3.3',
  resolve: (method, geometry) => ({ name: 'dynamic-ntk', factor: resolveFactor('dynamic-ntk', method, geometry) }),
  table: (method, geometry, lengthTokens) => {
    const factor = resolveFactor('dynamic-ntk', method, geometry);
    const stretch = Math.max(lengthTokens / geometry.originalContextTokens, 1);
    const base = ntkBase('dynamic-ntk', geometry, 1 + factor * (stretch - 1));
    return { inverseFrequencies: plainInverseFrequencies(geometry.rotarySize, base), attentionFactor: 1 };
  },
  label: (method) => `dynamic-ntk ${extentLabel(method)}`,
};
