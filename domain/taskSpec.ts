/**
 * The tasks of a sweep file: needle, perplexity, attention.
 */
import { z } from 'zod';
import { axisSchema } from './axis.js';
import { haystackSchema, needleSchema, templateSchema } from './promptSpec.js';

const tokens = z.int().positive();
const list = <Item extends z.ZodType>(item: Item) => z.array(item).min(1);

/** Every task may have context lengths of its own. */
const contextTokens = axisSchema(tokens).optional().describe('Context lengths of this task, in place of those of the sweep.');
const probes = z.enum(['heads', 'summary']).default('heads').describe('heads also stores each probe per layer and head.');

/** What colours a cell of a heat map; all are stored. */
export const CRITERIA = ['exactMatch', 'tokenRecall', 'stringRecall'] as const;
export type Criterion = (typeof CRITERIA)[number];

const refineSchema = z
  .strictObject({
    toleranceTokens: tokens.describe('How far apart the longest passing and the shortest failing context length may be.'),
    threshold: z.number().gt(0).lt(1).default(0.9).describe('A context length passes where at least this share of its cells do; reach has 0.9.'),
    perDepth: z.boolean().default(false).describe('A frontier for every depth, in place of one for all depths together.'),
    maximumSeeds: tokens.max(10_000).default(16).describe('Seeds of a length at most: those of the task, then whole numbers after the largest. They are added only where the outcome is uncertain.'),
    confidence: z.number().gt(0.5).lt(1).default(0.95).describe('Of the verdict at a length, over all looks at it.'),
    auditShare: z.number().min(0).max(0.5).default(0.05).describe('Random cells of the fine grid, as a share of maximumCells.'),
    maximumCells: tokens.optional().describe('Cells of an arm at most, beside its grid and the audit; what a search takes at most that needs all seeds everywhere if absent.'),
  })
  .describe('Searches the pass/fail frontier of every arm between the context lengths of the task (docs/refining.md).');

export const needleTaskSchema = z.strictObject({
  kind: z.literal('needle'),
  contextTokens,
  depths: axisSchema(z.number().min(0).max(1)).describe('Where the needle stands in the haystack: 0 at its start, 1 at its end.'),
  seeds: axisSchema(z.int().nonnegative()).default([1]).describe('A repeat is another seed: it draws haystack and needle.'),
  haystack: haystackSchema,
  needle: needleSchema,
  template: templateSchema.default({ headIds: [0] }),
  snap: z.enum(['token', 'sentence']).default('token').describe('sentence: the needle goes to the nearest sentence end of the haystack; the realised position is stored.'),
  criterion: z
    .enum(CRITERIA)
    .default('exactMatch')
    .describe('What passes: exactMatch (greedy decoding prints the answer), tokenRecall (share of answer tokens), stringRecall (share of answers found in the generated text; needs generateTokens).'),
  generateTokens: z
    .int()
    .nonnegative()
    .max(512)
    .default(0)
    .describe('Tokens to decode greedily after the question, whose text is stored; 0 = only as many as the answer has, and only where a cell fails.'),
  localTokens: tokens.default(64).describe('Width w of the local window of the probe localMass: the last w keys.'),
  probes,
  refine: refineSchema.optional(),
});

export const documentsSchema = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('text'),
      path: z.string().min(1).describe('A .txt, .jsonl or .parquet file, or a folder of them.'),
      field: z.string().min(1).default('text').describe('Column of .jsonl and Parquet rows that holds the text.'),
      count: z.int().positive().default(10).describe('Documents taken, in order, of those that are long enough.'),
      join: z.boolean().default(false).describe('Join all texts in order of file name into one and cut it into documents: for books in chapters.'),
      bos: z.enum(['tokenizer', 'always', 'never']).default('tokenizer').describe('Whether BOS stands first: as the tokenizer does by default, or as said.'),
    })
    .describe('Documents of text.'),
  z
    .strictObject({
      kind: z.literal('haystack'),
      haystack: haystackSchema,
      seeds: axisSchema(z.int().nonnegative()).default([1]).describe('One document a seed.'),
      headIds: z.array(z.int().nonnegative()).default([0]).describe('Token ids before each document.'),
    })
    .describe('Documents drawn from a haystack: for models whose tokens are no text.'),
]);

export const perplexityTaskSchema = z.strictObject({
  kind: z.literal('perplexity'),
  contextTokens,
  documents: documentsSchema,
  windows: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('first') }).describe('One window: the first contextTokens tokens of a document. Shorter lengths are derived.'),
      z
        .strictObject({ kind: z.literal('sliding'), strideTokens: tokens, maximumWindows: tokens.default(16) })
        .describe('Windows of contextTokens that start every strideTokens; of each but the first only the last strideTokens count.'),
      z
        .strictObject({ kind: z.literal('disjoint'), maximumWindows: tokens.default(16) })
        .describe('Windows of contextTokens side by side.'),
    ])
    .default({ kind: 'first' }),
  lastTokens: tokens.default(256).describe('k of the convention last-k: mean loss of the last k tokens of a context.'),
  buckets: list(tokens).optional().describe('Bounds of position buckets in tokens; powers of two if absent.'),
});

export const AXES_OF_KEYS = ['fraction', 'index', 'distance'] as const;
export type KeyAxis = (typeof AXES_OF_KEYS)[number];

const referenceSchema = z.strictObject({
  method: z.string().min(1).default('none').describe('Label or name of a method of this sweep.'),
  continualPretrainContextTokens: tokens.nullable().default(null),
  contextTokens: tokens,
});

export const attentionTaskSchema = z.strictObject({
  kind: z.literal('attention'),
  contextTokens,
  documents: documentsSchema,
  rows: z.int().min(2).max(512).default(64).describe('Query rows at the end of each document whose attention is averaged.'),
  axes: list(z.enum(AXES_OF_KEYS))
    .default(['fraction'])
    .describe('fraction: i / n in 128 bins with key 0 in a bin of its own (compares lengths); index: absolute key position (equal lengths only); distance: from the query back (compares lengths).'),
  references: z
    .array(referenceSchema)
    .default([])
    .describe('Arms at context lengths that all others are compared to by Jensen-Shannon divergence.'),
  probes,
});

export const taskSchema = z.discriminatedUnion('kind', [needleTaskSchema, perplexityTaskSchema, attentionTaskSchema]);

export type TaskSpec = z.infer<typeof taskSchema>;
export type TaskSpecOf<K extends TaskSpec['kind']> = Extract<TaskSpec, { kind: K }>;
export type DocumentsSpec = z.infer<typeof documentsSchema>;
export type AttentionReferenceSpec = z.infer<typeof referenceSchema>;
