/**
 * The RoPE settings of a config.json: geometry and the method that the checkpoint itself names.
 *
 * Two spellings are in use, and both at once:
 *   old  rope_theta beside rope_scaling {type | rope_type, factor, ...}
 *   new  rope_parameters {rope_type, rope_theta, factor, ...}
 * rope_scaling wins over rope_parameters as a whole; a theta inside the one that holds wins over the outer one, and so
 * does partial_rotary_factor; original_max_position_embeddings counts inside and beside; a method's own factor wins over
 * the quotient of the two lengths (as Hugging Face reads them).
 */
import { z } from 'zod';
import { RopesweepError, type Problem } from '../domain/errors.js';
import { YARN_DEFAULTS, type Method, type RopeGeometry } from '../domain/method.js';
import { resolveMethod } from '../rope/method.js';

const number = z.number().nullish();
const positive = z.number().positive().nullish();
const tokens = z.int().positive().nullish();
const divisors = z.array(z.number().positive()).nullish();

const scalingSchema = z.looseObject({
  type: z.string().nullish(),
  rope_type: z.string().nullish(),
  rope_theta: positive,
  factor: positive,
  original_max_position_embeddings: tokens,
  beta_fast: positive,
  beta_slow: positive,
  truncate: z.boolean().nullish(),
  attention_factor: positive,
  mscale: number,
  mscale_all_dim: number,
  short_factor: divisors,
  long_factor: divisors,
  low_freq_factor: positive,
  high_freq_factor: positive,
  partial_rotary_factor: positive,
});

/** The fields of config.json that say how RoPE turns. */
export const ropeConfigShape = {
  rope_theta: positive,
  rope_scaling: scalingSchema.nullish(),
  rope_parameters: scalingSchema.nullish(),
  max_position_embeddings: z.int().positive(),
  original_max_position_embeddings: tokens,
  partial_rotary_factor: positive,
};
type RopeConfig = z.infer<z.ZodObject<typeof ropeConfigShape>>;
type Scaling = z.infer<typeof scalingSchema>;

const DEFAULT_THETA = 10_000;

export interface RopeSettings {
  readonly geometry: RopeGeometry;
  readonly method: Method;
  /** Settings that ropesweep does not have, by name. */
  readonly unsupported: readonly Problem[];
  /** Settings that contradict themselves. */
  readonly invalid: readonly Problem[];
  /** What may be meant otherwise, and how it was read. */
  readonly warnings: readonly Problem[];
}

/** @param headSize dimensions of a head; partial_rotary_factor says how many of them rotate */
export function ropeSettings(config: RopeConfig, headSize: number): RopeSettings {
  const scaling: Scaling = written(config.rope_scaling) ?? config.rope_parameters ?? {};
  const type = typeOf(scaling);
  const named = scaling.original_max_position_embeddings ?? config.original_max_position_embeddings ?? undefined;
  const maximum = config.max_position_embeddings;
  const partial = scaling.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  const geometry: RopeGeometry = {
    rotarySize: Math.trunc(headSize * partial),
    base: scaling.rope_theta ?? config.rope_theta ?? DEFAULT_THETA,
    originalContextTokens: named ?? maximum,
  };
  const unsupported = unsupportedSettings(type, scaling);
  const read = READERS[type];
  if (read === undefined || unsupported.length > 0) return { geometry, method: NONE, unsupported, invalid: [], warnings: [] };

  const where = `rope settings (${type})`;
  const reading = read({ scaling, trained: geometry.originalContextTokens, maximum, isTrainedNamed: named !== undefined });
  if (typeof reading === 'string') return { geometry, method: NONE, unsupported, invalid: [{ where, what: reading }], warnings: [] };
  const { method, warnings = [] } = reading;
  return {
    geometry,
    method,
    unsupported,
    invalid: [...impossibleShare(partial), ...contradictions(method, geometry, where)],
    warnings: warnings.map((warning) => ({ where, ...warning })),
  };
}

/** An empty object says nothing. */
const written = (scaling: Scaling | null | undefined): Scaling | undefined => (scaling && Object.keys(scaling).length > 0 ? scaling : undefined);

/** LongRoPE was called su, and for a while yarn, before it had its name. */
function typeOf({ rope_type, type, short_factor }: Scaling): string {
  const name = rope_type ?? type ?? 'default';
  return name === 'su' || (name === 'yarn' && short_factor) ? 'longrope' : name;
}

function unsupportedSettings(type: string, scaling: Scaling): Problem[] {
  const byLayer = Object.keys(scaling).filter((key) => isObject(scaling[key]));
  return [
    ...(byLayer.length > 0 ? [{ where: 'rope settings', what: `settings of their own for ${byLayer.join(' and ')}` }] : []),
    ...(Object.hasOwn(READERS, type) ? [] : [{ where: 'rope type', what: `${type} is not one of ${Object.keys(READERS).join(', ')}` }]),
    ...['short_mscale', 'long_mscale'].filter((key) => typeof scaling[key] === 'number').map((key) => ({ where: `rope settings (${type})`, what: `${key} is not supported` })),
  ];
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

const impossibleShare = (partial: number): Problem[] =>
  partial <= 1 ? [] : [{ where: 'partial_rotary_factor', what: `${partial} of a head's dimensions cannot rotate` }];

function contradictions(method: Method, geometry: RopeGeometry, where: string): Problem[] {
  try {
    resolveMethod(method, geometry);
    return [];
  } catch (error) {
    if (error instanceof RopesweepError) return error.problems.map((problem) => ({ ...problem, where: `${where}: ${problem.where}` }));
    throw error;
  }
}

interface Source {
  readonly scaling: Scaling;
  /** L0 as read: original_max_position_embeddings, or else the maximum. */
  readonly trained: number;
  /** max_position_embeddings */
  readonly maximum: number;
  readonly isTrainedNamed: boolean;
}
interface Reading {
  readonly method: Method;
  readonly warnings?: readonly Omit<Problem, 'where'>[];
}
/** What the settings mean, or in words why they mean nothing. */
type Reader = (source: Source) => Reading | string;

const NONE: Method = { name: 'none' };

const READERS: Readonly<Record<string, Reader | undefined>> = {
  default: () => ({ method: NONE }),
  linear: (source) => {
    const { factor } = source.scaling;
    return isFactor(factor) ? { method: { name: 'pi', factor }, warnings: trainedUnnamed(source, factor) } : wrongFactor(factor);
  },
  dynamic: (source) => {
    const { factor } = source.scaling;
    return isFactor(factor) ? { method: { name: 'dynamic-ntk', factor }, warnings: otherStart(source) } : wrongFactor(factor);
  },
  yarn: (source) => {
    const { scaling } = source;
    const factor = scaling.factor ?? source.maximum / source.trained;
    if (!isFactor(factor)) return wrongFactor(factor);
    return {
      method: {
        name: 'yarn',
        factor,
        betaFast: scaling.beta_fast ?? YARN_DEFAULTS.betaFast,
        betaSlow: scaling.beta_slow ?? YARN_DEFAULTS.betaSlow,
        truncate: scaling.truncate ?? YARN_DEFAULTS.truncate,
        ...attentionFactor(scaling),
        ...(typeof scaling.mscale === 'number' && { mscale: scaling.mscale }),
        ...(typeof scaling.mscale_all_dim === 'number' && { mscaleAllDim: scaling.mscale_all_dim }),
      },
      warnings: [...trainedUnnamed(source, factor), ...disagreement(source)],
    };
  },
  longrope: (source) => {
    const { scaling } = source;
    const { short_factor: shortFactor, long_factor: longFactor } = scaling;
    if (!shortFactor || !longFactor) return `${shortFactor ? 'long_factor' : 'short_factor'} is missing`;
    // The factor serves the attention factor alone, which is 1 for all factors up to 1.
    const factor = Math.max(scaling.factor ?? source.maximum / source.trained, 1);
    return { method: { name: 'longrope', shortFactor, longFactor, factor, ...attentionFactor(scaling) }, warnings: disagreement(source) };
  },
  llama3: (source) => {
    const { factor, low_freq_factor: lowFreqFactor, high_freq_factor: highFreqFactor } = source.scaling;
    if (!isFactor(factor)) return wrongFactor(factor);
    if (!lowFreqFactor || !highFreqFactor) return `${lowFreqFactor ? 'high_freq_factor' : 'low_freq_factor'} is missing`;
    return { method: { name: 'llama3', factor, lowFreqFactor, highFreqFactor }, warnings: trainedUnnamed(source, factor) };
  },
};

const isFactor = (factor: number | null | undefined): factor is number => typeof factor === 'number' && factor >= 1;
const wrongFactor = (factor: number | null | undefined): string => `the factor is ${factor ?? 'missing'}; it must be at least 1`;

const attentionFactor = ({ attention_factor }: Scaling): { attentionFactor?: number } =>
  typeof attention_factor === 'number' ? { attentionFactor: attention_factor } : {};

/** A file that was written after an extension may name the extended context only. */
const trainedUnnamed = ({ isTrainedNamed, maximum }: Source, factor: number): Omit<Problem, 'where'>[] =>
  isTrainedNamed || factor === 1
    ? []
    : [
        {
          what: `there is no original_max_position_embeddings, so max_position_embeddings ${maximum} is taken for the trained context`,
          mend: `If ${maximum} is the extended context, name the trained one, perhaps ${Number((maximum / factor).toPrecision(6))} (originalContextTokens in a sweep, --original-context).`,
        },
      ];

const disagreement = ({ scaling: { factor }, trained, maximum, isTrainedNamed }: Source): Omit<Problem, 'where'>[] =>
  typeof factor !== 'number' || !isTrainedNamed || factor === maximum / trained
    ? []
    : [{ what: `factor ${factor} is not max_position_embeddings / original_max_position_embeddings = ${maximum} / ${trained}; the factor holds` }];

const otherStart = ({ trained, maximum }: Source): Omit<Problem, 'where'>[] =>
  trained === maximum
    ? []
    : [{ what: `the base grows beyond the ${trained} tokens of original_max_position_embeddings; other implementations count from max_position_embeddings ${maximum}` }];
