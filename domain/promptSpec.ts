/**
 * What prompts are made of, as a sweep file describes it: haystack, needle, template.
 */
import { z } from 'zod';

export const haystackSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('markov'),
      file: z.string().min(1).describe('JSON with firstFillerId and successors[symbol][rank].'),
      jumpProbability: z.number().min(0).max(1).default(0.1).describe('Chance of a uniform jump in place of a successor.'),
      rankScale: z.number().positive().default(2.5).describe('Successor number = min(last, floor(-rankScale ln(1 - u))).'),
    })
    .describe('A first-order Markov chain over token ids.'),
]);

const idRange = z.strictObject({ first: z.int().nonnegative(), count: z.int().positive() });

export const needleSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('symbols'),
      needleMarkId: z.int().nonnegative().default(1),
      questionMarkId: z.int().nonnegative().default(2),
      keys: idRange.default({ first: 96, count: 32 }),
      values: idRange.default({ first: 128, count: 128 }),
      answerTokens: z.int().positive().default(4),
    })
    .describe('Needle: mark, key, values. Question: mark, key. Answer: the values, drawn without replacement.'),
]);

export const templateSchema = z.strictObject({
  headIds: z.array(z.int().nonnegative()).default([0]).describe('Token ids before the haystack: BOS if the tokenizer gives one.'),
});

export type HaystackSpec = z.infer<typeof haystackSchema>;
export type NeedleSpec = z.infer<typeof needleSchema>;
export type TemplateSpec = z.infer<typeof templateSchema>;
