/**
 * RoPE methods as a spec, the command line and the store name them: a discriminated union on `name`.
 * The formulas live in rope/, one file a method; adding one is described in docs/adding-a-method.md.
 */
import { z } from 'zod';

const positive = z.number().positive();
/** factor = targetContextTokens / originalContextTokens; giving both is allowed if they agree. */
const extent = {
  factor: z.number().min(1).optional().describe('How many times longer the context becomes: targetContextTokens / originalContextTokens.'),
  targetContextTokens: z.int().positive().optional().describe('What the factor aims at, in tokens; give this or factor.'),
};
const perPair = z.array(positive).min(1);

/** Of the YaRN paper, for models of the LLaMA family. */
export const YARN_DEFAULTS = { betaFast: 32, betaSlow: 1, truncate: true } as const;
/** Of the Llama 3.1 checkpoints. */
export const LLAMA3_DEFAULTS = { lowFreqFactor: 1, highFreqFactor: 4 } as const;

export const methodSchema = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('none') }).describe('Plain RoPE: direct extrapolation.'),
  z.strictObject({ name: z.literal('pi'), ...extent }).describe('Position interpolation (linear scaling).'),
  z
    .strictObject({
      name: z.literal('ntk'),
      ...extent,
      base: positive.optional().describe('The new rope base itself, in place of a factor (the paper: 1,000,000).'),
    })
    .describe('NTK-aware scaling with a fixed base; the factor is called alpha elsewhere.'),
  z
    .strictObject({ name: z.literal('dynamic-ntk'), ...extent })
    .describe('NTK-aware scaling whose base grows with the sequence beyond the trained context.'),
  z
    .strictObject({
      name: z.literal('yarn'),
      ...extent,
      betaFast: positive.default(YARN_DEFAULTS.betaFast).describe('Rotations over the trained context above which a pair is left alone.'),
      betaSlow: positive.default(YARN_DEFAULTS.betaSlow).describe('Rotations over the trained context below which a pair is interpolated.'),
      truncate: z.boolean().default(YARN_DEFAULTS.truncate).describe('Round the ramp bounds to whole pairs.'),
      attentionFactor: positive.optional().describe('Multiplies cos and sin; computed from the factor if absent.'),
      mscale: z.number().nonnegative().optional().describe('Numerator of the attention factor; counts only beside mscaleAllDim.'),
      mscaleAllDim: z.number().nonnegative().optional().describe('Denominator of the attention factor; counts only beside mscale.'),
    })
    .describe('YaRN: NTK by parts with an attention factor.'),
  z
    .strictObject({
      name: z.literal('longrope'),
      shortFactor: perPair.describe('What divides each inverse frequency up to the trained context, one number a pair.'),
      longFactor: perPair.describe('What divides each inverse frequency beyond the trained context, one number a pair.'),
      ...extent,
      attentionFactor: positive.optional().describe('Multiplies cos and sin; computed from the factor if absent.'),
    })
    .describe('LongRoPE: a searched divisor for each pair, one list up to the trained context and one beyond.'),
  z
    .strictObject({
      name: z.literal('llama3'),
      ...extent,
      lowFreqFactor: positive
        .default(LLAMA3_DEFAULTS.lowFreqFactor)
        .describe('Rotations over the trained context below which a pair is divided by the factor.'),
      highFreqFactor: positive
        .default(LLAMA3_DEFAULTS.highFreqFactor)
        .describe('Rotations over the trained context above which a pair is left alone.'),
    })
    .describe('Scaling by wavelength, as in Llama 3.1 and later.'),
  z
    .strictObject({
      name: z.literal('custom'),
      label: z.string().min(1).max(40).optional().describe('How tables and figures call it; the name of the file if absent.'),
      file: z.string().min(1).optional().describe('JSON file with inverseFrequencies and attentionFactor, in place of the numbers here.'),
      inverseFrequencies: perPair.optional().describe('Radians per token, one number a pair, fastest first.'),
      attentionFactor: positive.optional().describe('Multiplies cos and sin; 1 if absent.'),
    })
    .describe('A table of your own.'),
]);

/** A method with its parameters, defaults filled in. */
export type Method = z.infer<typeof methodSchema>;
export type MethodName = Method['name'];
/** A method as a person writes it. */
export type MethodInput = z.input<typeof methodSchema>;

export const METHOD_NAMES: readonly MethodName[] = methodSchema.options.map(({ shape }) => shape.name.value);

/** What a checkpoint's config.json says about plain RoPE: the inputs of every method. */
export interface RopeGeometry {
  /** d: dimensions of a head that rotate. */
  readonly rotarySize: number;
  /** b: rope theta. */
  readonly base: number;
  /** L0: trained context in tokens. */
  readonly originalContextTokens: number;
}

/** What a method yields. Everything in float64. */
export interface RopeTable {
  /** [rotarySize / 2] radians per token. */
  readonly inverseFrequencies: readonly number[];
  /** Multiplies both cos and sin, so logits by its square. */
  readonly attentionFactor: number;
}
