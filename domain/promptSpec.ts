/**
 * What prompts are made of, as a sweep file describes it: haystack, needle, template (docs/prompts.md).
 * markov, symbols and ids are for models whose tokens are no text; all other kinds are text.
 */
import { z } from 'zod';

/** Sentences of the noise haystack where the spec names none. */
const NOISE_SENTENCES = [
  'The river runs down to the sea.',
  'A cold wind blows over the hill.',
  'The road is long and dry.',
  'The lamp by the door is lit.',
  'Bread is baked before dawn.',
  'The old dog sleeps in the sun.',
  'Snow falls on the quiet town.',
  'A boat waits at the pier.',
] as const;

export const haystackSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('markov'),
      file: z.string().min(1).describe('JSON with firstFillerId and successors[symbol][rank].'),
      jumpProbability: z.number().min(0).max(1).default(0.1).describe('Chance of a uniform jump in place of a successor.'),
      rankScale: z.number().positive().default(2.5).describe('Successor number = min(last, floor(-rankScale ln(1 - u))).'),
    })
    .describe('A first-order Markov chain over token ids.'),
  z
    .strictObject({
      kind: z.literal('noise'),
      sentences: z.array(z.string().regex(/\S/u, 'write a sentence')).min(1).default([...NOISE_SENTENCES]).describe('Each next sentence is drawn uniformly from these.'),
    })
    .describe('Sentences that say nothing, in random order.'),
  z
    .strictObject({
      kind: z.literal('text'),
      path: z.string().min(1).describe('A text file (UTF-8), or a folder whose .txt files are joined in order of name.'),
    })
    .describe('Running text: each seed starts at another sentence; after the last one it goes on with the first.'),
]);

const idRange = z.strictObject({ first: z.int().nonnegative(), count: z.int().positive() });

const VALUE_KINDS = ['number', 'word', 'uuid'] as const;
/** How a key or a value is drawn: digits, `quiet-harbor`, or a UUID. */
export type ValueKind = (typeof VALUE_KINDS)[number];

const digits = (count: number) => z.int().min(1).max(18).default(count).describe('Digits of a number; the first is not 0.');
const distractors = (count: number) => z.int().nonnegative().max(1000).default(count).describe('Needles of the same wording with other keys that nobody asks for.');
const keyed = {
  keys: z.enum(VALUE_KINDS).default('word').describe('How keys are drawn.'),
  values: z.enum(VALUE_KINDS).default('number').describe('How values are drawn.'),
  digits: digits(7),
  wording: z
    .string()
    .regex(/\{key\}/u, 'it must hold {key}')
    .regex(/\{value\}/u, 'it must hold {value}')
    .optional()
    .describe('The sentence that hides a value, with {key} and {value}; "The secret code of {key} is {value}." if absent.'),
};

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
  z
    .strictObject({ kind: z.literal('single'), ...keyed, distractors: distractors(0) })
    .describe("One key with one value (RULER's niah_single)."),
  z
    .strictObject({ kind: z.literal('multiKey'), ...keyed, distractors: distractors(3) })
    .describe("One key is asked for among others (RULER's niah_multikey)."),
  z
    .strictObject({
      kind: z.literal('multiValue'),
      ...keyed,
      count: z.int().min(2).max(64).default(4).describe('Values of the key, each in a needle of its own.'),
      distractors: distractors(0),
    })
    .describe("One key with several values, all asked for (RULER's niah_multivalue)."),
  z
    .strictObject({
      kind: z.literal('multiQuery'),
      ...keyed,
      count: z.int().min(2).max(64).default(4).describe('Keys that are asked for, each with one value.'),
      distractors: distractors(0),
    })
    .describe("Several keys with one value each, all asked for (RULER's niah_multiquery)."),
  z
    .strictObject({
      kind: z.literal('passkey'),
      digits: digits(5),
      wording: z
        .string()
        .regex(/\{value\}/u, 'it must hold {value}')
        .optional()
        .describe('The sentences that hide the pass key, with {value}; "The pass key is {value}. Remember it: {value} is the pass key." if absent.'),
    })
    .describe('A number without a key.'),
]);

const wording = {
  intro: z
    .string()
    .default('Some facts are hidden in the following text. Remember them: you will be asked about them.')
    .describe('Text before the haystack, joined to it by a space.'),
  question: z
    .string()
    .optional()
    .describe("Text after the haystack; {key} is what is asked for, several keys joined by commas. The needle kind's own question if absent."),
  answerPrefix: z
    .string()
    .optional()
    .describe("Text that the answer follows; {key} as in the question. The needle kind's own if absent."),
};

export const templateSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('ids').optional(),
      headIds: z.array(z.int().nonnegative()).default([0]).describe('Token ids before the haystack: BOS if the tokenizer gives one.'),
    })
    .describe('Token ids and nothing else: for models whose tokens are no text.'),
  z
    .strictObject({ kind: z.literal('base'), ...wording })
    .describe('For base models: BOS as the tokenizer gives it, intro, haystack, question, answer prefix.'),
  z
    .strictObject({
      kind: z.literal('chat'),
      ...wording,
      system: z.string().optional().describe("The system message; without it what the checkpoint's template makes of none."),
    })
    .describe("The checkpoint's own chat template around one user message of intro, haystack and question; the answer prefix opens the reply."),
]);

export type HaystackSpec = z.infer<typeof haystackSchema>;
export type NeedleSpec = z.infer<typeof needleSchema>;
export type TemplateSpec = z.infer<typeof templateSchema>;
export type NeedleSpecOf<K extends NeedleSpec['kind']> = Extract<NeedleSpec, { kind: K }>;
