/**
 * LongRoPE: a divisor for each pair, found by search; one list up to the trained context, another beyond.
 *
 *   inv_j = 1 / (ext_j b^(2j/d)),  ext = shortFactor if length <= L0, else longFactor
 *   attention factor = given, else 1 if s <= 1, else sqrt(1 + ln s / ln L0),  s = longest context / L0
 *
 * All positions of a sequence take the list that its whole length asks for.
 * Ding et al. 2024, "LongRoPE: Extending LLM Context Window Beyond 2 Million Tokens"; the attention factor as in Phi-3,
 * the checkpoints that were published with it.
 */
import { RopesweepError } from '../domain/errors.js';
import type { RopeGeometry } from '../domain/method.js';
import type { MethodDefinition, MethodOf } from './definition.js';
import { extentLabel, resolveFactor } from './extent.js';
import { perPairProblems } from './perPair.js';
import { plainInverseFrequencies } from './plain.js';
import { shortDigest } from './shortDigest.js';

type LongRope = MethodOf<'longrope'>;

export const longrope: MethodDefinition<'longrope'> = {
  tableDependsOnLength: true,
  source: 'Ding et al. 2024, "LongRoPE"; the attention factor as in Phi-3',
  resolve: (method, geometry) => {
    const { shortFactor, longFactor, attentionFactor } = method;
    const problems = (['shortFactor', 'longFactor'] as const).flatMap((list) => perPairProblems(`longrope.${list}`, method[list], geometry));
    if (problems.length > 0) throw new RopesweepError('METHOD_INVALID', problems);
    return {
      name: 'longrope',
      shortFactor,
      longFactor,
      ...(needsFactor(method) && { factor: resolveFactor('longrope', method, geometry) }),
      ...(attentionFactor !== undefined && { attentionFactor }),
    };
  },
  table: (method, geometry, lengthTokens) => {
    const divisors = lengthTokens > geometry.originalContextTokens ? method.longFactor : method.shortFactor;
    return {
      inverseFrequencies: plainInverseFrequencies(geometry.rotarySize, geometry.base).map((frequency, pair) => frequency / (divisors[pair] ?? NaN)),
      attentionFactor: method.attentionFactor ?? attentionFactor(method, geometry),
    };
  },
  label: (method) =>
    [
      needsFactor(method) ? `longrope ${extentLabel(method)}` : 'longrope',
      `lists ${shortDigest([method.shortFactor, method.longFactor])}`,
      ...(method.attentionFactor === undefined ? [] : [`attention factor ${method.attentionFactor}`]),
    ].join(', '),
};

/** The factor serves the attention factor alone; where that is given, it may be left out. */
const needsFactor = ({ factor, targetContextTokens, attentionFactor }: LongRope): boolean =>
  factor !== undefined || targetContextTokens !== undefined || attentionFactor === undefined;

function attentionFactor(method: LongRope, geometry: RopeGeometry): number {
  const factor = resolveFactor('longrope', method, geometry);
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(geometry.originalContextTokens));
}
