/**
 * YaRN: fast pairs are left alone, slow pairs interpolated, a ramp between, and attention is sharpened.
 *
 *   c(n)   = d ln(L0 / (2 pi n)) / (2 ln b)           the pair that turns n times over the trained context
 *   low    = c(betaFast), high = c(betaSlow)          rounded down and up if truncate; clamped to [0, d-1]
 *   ramp_j = clamp((j - low) / (high - low), 0, 1)    bounds that coincide are spread by 0.001
 *   inv_j  = (b_j / s) ramp_j + b_j (1 - ramp_j),     b_j = b^(-2j/d)
 *   g(s,m) = 1 if s <= 1, else 0.1 m ln s + 1
 *   attention factor = given, else g(s, mscale) / g(s, mscaleAllDim) if both are given and neither is 0, else g(s, 1)
 *
 * Peng et al. 2023, "YaRN: Efficient Context Window Extension of Large Language Models", equations 17-22 of section 3.2-3.4;
 * truncate and the two mscales as in the implementations that checkpoints were trained with.
 */
import { RopesweepError } from '../domain/errors.js';
import { YARN_DEFAULTS, type RopeGeometry, type RopeTable } from '../domain/method.js';
import type { MethodDefinition, MethodOf } from './definition.js';
import { extentLabel, resolveFactor } from './extent.js';
import { plainInverseFrequencies } from './plain.js';

type Yarn = MethodOf<'yarn'>;

export const yarn: MethodDefinition<'yarn'> = {
  tableDependsOnLength: false,
  source: 'Peng et al. 2023, "YaRN", equations 17-22',
  resolve: (method, geometry) => {
    if (method.betaFast < method.betaSlow) {
      throw new RopesweepError('METHOD_INVALID', {
        where: 'yarn',
        what: `betaFast ${method.betaFast} is below betaSlow ${method.betaSlow}`,
        mend: 'betaFast counts the rotations of the fast pairs: give the larger number there.',
      });
    }
    const resolved = { ...method, factor: resolveFactor('yarn', method, geometry) };
    delete resolved.targetContextTokens;
    return resolved;
  },
  table,
  label: (method) => [`yarn ${extentLabel(method)}`, ...changedParameters(method)].join(', '),
};

function table(method: Yarn, geometry: RopeGeometry): RopeTable {
  const factor = resolveFactor('yarn', method, geometry);
  const { low, high } = rampBounds(method, geometry);
  return {
    inverseFrequencies: plainInverseFrequencies(geometry.rotarySize, geometry.base).map((frequency, pair) => {
      const ramp = clamp((pair - low) / (high - low), 0, 1);
      return (frequency / factor) * ramp + frequency * (1 - ramp);
    }),
    attentionFactor: attentionFactor(method, factor),
  };
}

function rampBounds(method: Yarn, geometry: RopeGeometry): { low: number; high: number } {
  const { rotarySize, base, originalContextTokens } = geometry;
  const pairTurning = (rotations: number) =>
    (rotarySize * Math.log(originalContextTokens / (2 * Math.PI * rotations))) / (2 * Math.log(base));
  const fast = pairTurning(method.betaFast);
  const slow = pairTurning(method.betaSlow);
  const low = clamp(method.truncate ? Math.floor(fast) : fast, 0, rotarySize - 1);
  const high = clamp(method.truncate ? Math.ceil(slow) : slow, 0, rotarySize - 1);
  return { low, high: low === high ? high + 0.001 : high };
}

function attentionFactor(method: Yarn, factor: number): number {
  const temperature = (mscale: number) => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1);
  if (method.attentionFactor !== undefined) return method.attentionFactor;
  if (method.mscale && method.mscaleAllDim) return temperature(method.mscale) / temperature(method.mscaleAllDim);
  return temperature(1);
}

/** What differs from the defaults, so that two arms never carry one label. */
function changedParameters(method: Yarn): string[] {
  const { betaFast, betaSlow } = YARN_DEFAULTS;
  const beta = method.betaFast === betaFast && method.betaSlow === betaSlow ? [] : [`beta ${method.betaFast}/${method.betaSlow}`];
  const truncate = method.truncate ? [] : ['not truncated'];
  const factor = method.attentionFactor === undefined ? [] : [`attention factor ${method.attentionFactor}`];
  const mscale =
    method.mscale === undefined && method.mscaleAllDim === undefined
      ? []
      : [`mscale ${method.mscale ?? '-'}/${method.mscaleAllDim ?? '-'}`];
  return [...beta, ...truncate, ...factor, ...mscale];
}

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most);
