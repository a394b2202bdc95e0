/**
 * The RoPE settings of a config.json: geometry and the method that the checkpoint itself names.
 *
 * Two spellings are in use, and both at once:
 *   old  rope_theta beside rope_scaling {type | rope_type, factor, ...}
 *   new  rope_parameters {rope_type, rope_theta, factor, ...}
 * rope_scaling wins over rope_parameters as a whole, with the outer theta; a theta inside rope_parameters wins over the
 * outer one; original_max_position_embeddings counts inside and beside; a method's own factor wins over the quotient of
 * the two lengths (as Hugging Face reads them).
 */
import { z } from 'zod';
import type { Problem } from '../domain/errors.js';
import { YARN_DEFAULTS, type Method, type RopeGeometry } from '../domain/method.js';

const number = z.number().nullish();
const positive = z.number().positive().nullish();
const tokens = z.int().positive().nullish();

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
  partial_rotary_factor: number,
});

/** The fields of config.json that say how RoPE turns. */
export const ropeConfigShape = {
  rope_theta: positive,
  rope_scaling: scalingSchema.nullish(),
  rope_parameters: scalingSchema.nullish(),
  max_position_embeddings: z.int().positive(),
  original_max_position_embeddings: tokens,
  partial_rotary_factor: number,
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
}

/** @param headSize dimensions of a head; all of them rotate */
export function ropeSettings(config: RopeConfig, headSize: number): RopeSettings {
  const scaling: Scaling = config.rope_scaling ?? config.rope_parameters ?? {};
  const innerTheta = config.rope_scaling ? undefined : config.rope_parameters?.rope_theta;
  const originalContextTokens =
    scaling.original_max_position_embeddings ?? config.original_max_position_embeddings ?? config.max_position_embeddings;
  const type = scaling.rope_type ?? scaling.type ?? 'default';
  const partial = scaling.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  const read = READERS[type];
  const { method, invalid } = read?.(scaling, config, originalContextTokens) ?? { method: { name: 'none' as const }, invalid: [] };
  return {
    geometry: { rotarySize: headSize, base: innerTheta ?? config.rope_theta ?? DEFAULT_THETA, originalContextTokens },
    method,
    unsupported: [
      ...(read === undefined ? [{ where: 'rope type', what: `${type} is not one of ${Object.keys(READERS).join(', ')}` }] : []),
      ...(partial === 1 ? [] : [{ where: 'partial_rotary_factor', what: `${partial}: every dimension of a head must rotate` }]),
    ],
    invalid,
  };
}

interface Reading {
  readonly method: Method;
  readonly invalid: readonly Problem[];
}
type Reader = (scaling: Scaling, config: RopeConfig, originalContextTokens: number) => Reading;

const READERS: Readonly<Record<string, Reader | undefined>> = {
  default: () => ({ method: { name: 'none' }, invalid: [] }),
  linear: ({ factor }) =>
    typeof factor === 'number' && factor >= 1
      ? { method: { name: 'pi', factor }, invalid: [] }
      : { method: { name: 'none' }, invalid: [missingFactor('linear', factor)] },
  yarn: (scaling, config, originalContextTokens) => {
    const factor = scaling.factor ?? config.max_position_embeddings / originalContextTokens;
    if (factor < 1) return { method: { name: 'none' }, invalid: [missingFactor('yarn', factor)] };
    return {
      method: {
        name: 'yarn',
        factor,
        betaFast: scaling.beta_fast ?? YARN_DEFAULTS.betaFast,
        betaSlow: scaling.beta_slow ?? YARN_DEFAULTS.betaSlow,
        truncate: scaling.truncate ?? YARN_DEFAULTS.truncate,
        ...(typeof scaling.attention_factor === 'number' && { attentionFactor: scaling.attention_factor }),
        ...(typeof scaling.mscale === 'number' && { mscale: scaling.mscale }),
        ...(typeof scaling.mscale_all_dim === 'number' && { mscaleAllDim: scaling.mscale_all_dim }),
      },
      invalid: [],
    };
  },
};

const missingFactor = (type: string, factor: number | null | undefined): Problem => ({
  where: `rope settings (${type})`,
  what: `the factor is ${factor === undefined || factor === null ? 'missing' : String(factor)}; it must be at least 1`,
});
