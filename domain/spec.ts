/**
 * The sweep file: what a person writes, with descriptions and defaults. docs/schema/sweep.schema.json is generated
 * from here for editors (npm run generate). Paths are relative to the sweep file.
 */
import { z } from 'zod';
import { axisSchema } from './axis.js';
import { deviceClassSchema } from './device.js';
import { COMPUTE_DTYPES } from './engine.js';
import { methodSchema } from './method.js';
import { DEFAULT_PRIORITY, LOWEST_PRIORITY, MAXIMUM_CONCURRENCY } from './orchestration.js';
import { TASK_KINDS } from './task.js';
import { taskSchema } from './taskSpec.js';

export type { HaystackSpec, NeedleSpec, TemplateSpec } from './promptSpec.js';
export type { TaskSpec } from './taskSpec.js';

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

const modelSchema = z
  .strictObject({
    name: z.string().min(1).describe('How tables and figures call the model.'),
    base: z
      .string()
      .min(1)
      .describe('The checkpoint that was not continued: a folder as Hugging Face writes it, a .gguf file, or registry:NAME (ropesweep model fetch NAME).'),
    continued: z
      .union([z.string().min(1), z.array(continuedEntry)])
      .optional()
      .describe('Folders of the continued checkpoints: a pattern with {method} and {length}, or a list. A combination without a folder is excluded.'),
    originalContextTokens: tokens.optional().describe('Trained context of the base (L0); read from config.json if absent.'),
    config: z
      .string()
      .min(1)
      .optional()
      .describe('Folder with a config.json to plan from where the weights are not here (yet). Such a plan has provisional keys and cannot be run.'),
  })
  .meta({ id: 'model' });

const oneOrMore = <Value extends z.ZodType>(value: Value) => z.union([value, axisSchema(value)]);

const pointSchema = z
  .strictObject({
    model: oneOrMore(z.string()).optional().describe('Names of models.'),
    method: oneOrMore(z.string()).optional().describe('Labels or names of methods: yarn 8, or yarn for every yarn.'),
    continualPretrainContextTokens: oneOrMore(tokens.nullable()).optional(),
    contextTokens: oneOrMore(tokens).optional(),
    task: oneOrMore(z.int().nonnegative()).optional().describe('Positions of tasks, counted from 0.'),
    taskKind: oneOrMore(z.enum(TASK_KINDS)).optional(),
    depth: oneOrMore(z.number().min(0).max(1)).optional(),
    seed: oneOrMore(z.int().nonnegative()).optional(),
  })
  .meta({ id: 'point', description: 'A part of the grid: values of some of its axes.' });

/** Lists of a sweep file that may move together. */
export const ZIP_AXES = ['models', 'methods', 'continualPretrainContextTokens', 'contextTokens', 'depths', 'seeds'] as const;
export type ZipAxis = (typeof ZIP_AXES)[number];

const deviceClassName = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'use lower-case letters, digits and dashes, starting with a letter or digit');

export const sweepSpecSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'use lower-case letters, digits and dashes, starting with a letter or digit, at most 63 characters')
    .describe('Identity of the sweep: a changed spec of the same name is a new revision of it.'),
  description: z.string().optional(),
  model: modelSchema.optional(),
  models: list(modelSchema).optional().describe('Several models, in place of model: each is crossed with all the rest.'),
  methods: list(methodEntry),
  continualPretrainContextTokens: axisSchema(tokens.nullable())
    .default([null])
    .describe('Lengths of continual pretraining; null is the base, not continued.'),
  contextTokens: axisSchema(tokens).describe('Context lengths in tokens: every input token of the evaluation pass.'),
  tasks: list(taskSchema),
  zip: z
    .array(z.array(z.enum(ZIP_AXES)).min(2))
    .default([])
    .describe('Groups of lists that move together, first with first, second with second, in place of being crossed; all of a group are equally long.'),
  exclude: z.array(pointSchema).default([]).describe('Parts of the grid to leave out. What a part does not name may be anything.'),
  where: z
    .union([z.string().min(1), list(z.string().min(1))])
    .optional()
    .describe('Conditions (CEL) that cells fulfil, all of them: contextTokens <= 8 * originalContextTokens. Others are left out. Included points need not.'),
  include: z
    .array(pointSchema)
    .default([])
    .describe('Points beside the grid, whatever is left out of it. An axis that a point does not name takes all values it has in the sweep.'),
  dtype: z
    .enum(['auto', ...COMPUTE_DTYPES])
    .default('auto')
    .describe("Compute dtype. auto: f32 on a CPU; on a GPU the checkpoint's own half precision."),
  deviceClass: deviceClassName.default('cpu').describe('Workers of this class evaluate the cells: cpu, cuda-24, cuda-40, cuda-80, cuda-141, webgpu, or one of deviceClasses.'),
  largerDeviceClass: deviceClassName
    .optional()
    .describe('Class that is asked once for the cells that do not fit deviceClass: more memory, the same provider. Needs mixFingerprints: allow.'),
  deviceClasses: z.record(deviceClassName, deviceClassSchema).default({}).describe('Device classes of your own, by name.'),
  concurrency: z.int().positive().max(MAXIMUM_CONCURRENCY).default(16).describe('Shards in flight at once (ropesweep set changes it while the sweep runs).'),
  priority: z.int().min(1).max(LOWEST_PRIORITY).default(DEFAULT_PRIORITY).describe('1 is served first, 5 last; sweeps of one priority share the workers evenly.'),
  canary: z.boolean().default(true).describe('Evaluate the cheapest and the dearest shard first, and stop early if both fail for the same reason.'),
  failureBudget: z
    .strictObject({
      cells: z.int().nonnegative().optional().describe('Failed cells that are tolerated.'),
      share: z.number().min(0).max(1).optional().describe('Share of all cells that may fail, 0..1.'),
    })
    .optional()
    .describe('With more failed cells than this nothing new is started and the sweep ends incomplete; absent: it goes on to the last cell.'),
  maximumAttempts: z.int().positive().max(20).default(5).describe('Attempts of a shard, and of a cell that kills its slot, before quarantine.'),
  mixFingerprints: z
    .enum(['perArm', 'allow', 'refuse'])
    .default('perArm')
    .describe('perArm: one kind of node for all cells of an arm; allow: any, marked; refuse: one kind for the sweep.'),
  cellLimit: z.int().positive().default(100_000).describe('A plan with more cells is refused.'),
});

/** A sweep file with defaults filled in; ranges are as they were written. */
export type SweepSpec = z.infer<typeof sweepSpecSchema>;
export type SweepSpecInput = z.input<typeof sweepSpecSchema>;
export type ModelSpec = z.infer<typeof modelSchema>;
export type PointSpec = z.infer<typeof pointSchema>;

/** The models of a sweep, with their paths in its file. */
export const modelsOf = ({ model, models }: Pick<SweepSpec, 'model' | 'models'>): { readonly model: ModelSpec; readonly path: readonly (string | number)[] }[] => [
  ...(model === undefined ? [] : [{ model, path: ['model'] }]),
  ...(models ?? []).map((one, index) => ({ model: one, path: ['models', index] })),
];

/** `where` as a list. */
export const conditionsOf = ({ where }: Pick<SweepSpec, 'where'>): readonly string[] => (where === undefined ? [] : typeof where === 'string' ? [where] : where);
