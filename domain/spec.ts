/**
 * The sweep file: what a person writes, with descriptions and defaults. docs/schema/sweep.schema.json is generated
 * from here for editors (npm run generate). Paths are relative to the sweep file.
 */
import { z } from 'zod';
import { COMPUTE_DTYPES } from './engine.js';
import { methodSchema } from './method.js';

const tokens = z.int().positive();
const list = <Item extends z.ZodType>(item: Item) => z.array(item).min(1);

const methodEntry = z
  .union([z.literal('none').transform(() => ({ name: 'none' as const })), methodSchema])
  .describe('A RoPE method with its parameters; the bare word none is plain RoPE.');

const continuedEntry = z.strictObject({
  method: z.string().min(1).describe('Name of the method the checkpoint was continued with.'),
  continualPretrainContextTokens: tokens.describe('Length it was continued at.'),
  path: z.string().min(1),
});

const modelSchema = z.strictObject({
  name: z.string().min(1).describe('How tables and figures call the model.'),
  base: z.string().min(1).describe('Folder of the checkpoint that was not continued, as Hugging Face writes it.'),
  continued: z
    .union([z.string().min(1), z.array(continuedEntry)])
    .optional()
    .describe('Folders of the continued checkpoints: a pattern with {method} and {length}, or a list. A combination without a folder is excluded.'),
  originalContextTokens: tokens.optional().describe('Trained context of the base (L0); read from config.json if absent.'),
});

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

const needleSchema = z.discriminatedUnion('kind', [
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

const templateSchema = z.strictObject({
  headIds: z.array(z.int().nonnegative()).default([0]).describe('Token ids before the haystack: BOS if the tokenizer gives one.'),
});

export const needleTaskSchema = z.strictObject({
  kind: z.literal('needle'),
  depths: list(z.number().min(0).max(1)).describe('Where the needle stands in the haystack: 0 at its start, 1 at its end.'),
  seeds: list(z.int().nonnegative()).default([1]).describe('A repeat is another seed: it draws haystack and needle.'),
  haystack: haystackSchema,
  needle: needleSchema,
  template: templateSchema.default({ headIds: [0] }),
  probes: z.enum(['heads', 'summary']).default('heads').describe('heads also stores each probe per layer and head.'),
});

const taskSchema = z.discriminatedUnion('kind', [needleTaskSchema]);

export const sweepSpecSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'use lower-case letters, digits and dashes, starting with a letter or digit, at most 63 characters')
    .describe('Identity of the sweep: a changed spec of the same name is a new revision of it.'),
  description: z.string().optional(),
  model: modelSchema,
  methods: list(methodEntry),
  continualPretrainContextTokens: list(tokens.nullable())
    .default([null])
    .describe('Lengths of continual pretraining; null is the base, not continued.'),
  contextTokens: list(tokens).describe('Context lengths in tokens: every input token of the evaluation pass.'),
  tasks: list(taskSchema),
  dtype: z.enum(COMPUTE_DTYPES).default('f32').describe('Compute dtype.'),
  deviceClass: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/)
    .default('cpu')
    .describe('Workers of this class evaluate the cells.'),
  concurrency: z.int().positive().max(500).default(16).describe('Shards in flight at once.'),
  maximumAttempts: z.int().positive().max(20).default(5).describe('Attempts of a shard, and of a cell that kills its slot, before quarantine.'),
  mixFingerprints: z
    .enum(['perArm', 'allow', 'refuse'])
    .default('perArm')
    .describe('perArm: one kind of node for all cells of an arm; allow: any, marked; refuse: one kind for the sweep.'),
  cellLimit: z.int().positive().default(100_000).describe('A plan with more cells is refused.'),
});

/** A sweep file with defaults filled in. */
export type SweepSpec = z.infer<typeof sweepSpecSchema>;
export type SweepSpecInput = z.input<typeof sweepSpecSchema>;
export type TaskSpec = SweepSpec['tasks'][number];
export type HaystackSpec = z.infer<typeof haystackSchema>;
export type NeedleSpec = z.infer<typeof needleSchema>;
export type TemplateSpec = z.infer<typeof templateSchema>;
