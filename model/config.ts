/**
 * config.json of a checkpoint folder, as Hugging Face writes it: architecture, RoPE geometry, RoPE settings.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, RopesweepError, whyUnreadable, type Problem } from '../domain/errors.js';
import type { Method, RopeGeometry } from '../domain/method.js';
import { ropeConfigShape, ropeSettings } from './ropeSettings.js';

/** The architecture: what the graph and the weights id depend on, RoPE apart. */
export interface ModelConfig {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  /** Dimensions of one head; heads x headSize need not be hiddenSize. */
  readonly headSize: number;
  readonly vocabularySize: number;
  readonly rmsNormEpsilon: number;
  /** The output projection is the embedding matrix. */
  readonly tiedEmbeddings: boolean;
}

export interface ConfigFile {
  readonly config: ModelConfig;
  readonly geometry: RopeGeometry;
  /** The method that config.json itself names; none where it names none. */
  readonly ropeSettings: Method;
}

const count = z.int().positive().max(2 ** 31 - 1);

const fileSchema = z.looseObject({
  model_type: z.string(),
  hidden_act: z.string().default('silu'),
  num_hidden_layers: z.int().positive().max(1024),
  hidden_size: count,
  intermediate_size: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  vocab_size: count,
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  sliding_window: z.number().nullish(),
  quantization_config: z.unknown().optional(),
  ...ropeConfigShape,
});
type FileFields = z.infer<typeof fileSchema>;

/**
 * Reads and checks `folder`/config.json; unknown fields are left alone, unknown features refused by name.
 * @throws RopesweepError CHECKPOINT_MISSING, CHECKPOINT_INVALID, MODEL_UNSUPPORTED
 */
export async function readConfig(folder: string): Promise<ConfigFile> {
  const file = path.join(folder, 'config.json');
  return configOf(file, parseJson(file, await readText(folder, file)));
}

/**
 * The same of fields that are at hand; a GGUF file's metadata are brought into these words (model/ggufConfig.ts).
 * @param file what errors name
 * @throws RopesweepError CHECKPOINT_INVALID, MODEL_UNSUPPORTED
 */
export function configOf(file: string, json: unknown): ConfigFile {
  const fields = parseFields(file, json);
  const at = (problem: Problem): Problem => ({ ...problem, where: `${file}: ${problem.where}` });

  const keyValueHeads = fields.num_key_value_heads ?? fields.num_attention_heads;
  const headSize = fields.head_dim ?? fields.hidden_size / fields.num_attention_heads;
  const rope = ropeSettings(fields, headSize);
  const invalid = [...divisibility(fields, keyValueHeads, headSize), ...rope.invalid];
  if (invalid.length > 0) throw new RopesweepError('CHECKPOINT_INVALID', invalid.map(at));
  const unsupported = [...unsupportedFeatures(fields), ...rope.unsupported];
  if (unsupported.length > 0) throw new RopesweepError('MODEL_UNSUPPORTED', unsupported.map(at));

  return {
    config: {
      layers: fields.num_hidden_layers,
      hiddenSize: fields.hidden_size,
      intermediateSize: fields.intermediate_size,
      heads: fields.num_attention_heads,
      keyValueHeads,
      headSize,
      vocabularySize: fields.vocab_size,
      rmsNormEpsilon: fields.rms_norm_eps,
      tiedEmbeddings: fields.tie_word_embeddings,
    },
    geometry: rope.geometry,
    ropeSettings: rope.method,
  };
}

async function readText(folder: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new RopesweepError(
      'CHECKPOINT_MISSING',
      {
        where: file,
        what: whyUnreadable(cause),
        mend: `A checkpoint is a folder with config.json and model.safetensors; check the path ${folder}.`,
      },
      { cause },
    );
  }
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new RopesweepError('CHECKPOINT_INVALID', { where: file, what: `it is not JSON: ${messageOf(cause)}` }, { cause });
  }
}

function parseFields(file: string, json: unknown): FileFields {
  const parsed = fileSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new RopesweepError(
    'CHECKPOINT_INVALID',
    parsed.error.issues.map((issue) => ({ where: `${file}: ${issue.path.join('.') || 'the whole file'}`, what: issue.message })),
  );
}

const divisibility = (fields: FileFields, keyValueHeads: number, headSize: number): Problem[] => [
  ...(Number.isInteger(headSize) && headSize % 2 === 0
    ? []
    : [{ where: 'head_dim', what: `a head of ${headSize} dimensions cannot rotate in pairs (hidden_size / num_attention_heads where head_dim is absent)` }]),
  ...(fields.num_attention_heads % keyValueHeads === 0
    ? []
    : [{ where: 'num_key_value_heads', what: `${keyValueHeads} does not divide num_attention_heads ${fields.num_attention_heads}` }]),
];

const unsupportedFeatures = (fields: FileFields): Problem[] => [
  ...(fields.model_type === 'llama' ? [] : [{ where: 'model_type', what: `${fields.model_type} is not llama` }]),
  ...(fields.hidden_act === 'silu' ? [] : [{ where: 'hidden_act', what: `${fields.hidden_act} is not silu` }]),
  ...(fields.attention_bias ? [{ where: 'attention_bias', what: 'biases are not supported' }] : []),
  ...(fields.mlp_bias ? [{ where: 'mlp_bias', what: 'biases are not supported' }] : []),
  ...(typeof fields.sliding_window === 'number'
    ? [{ where: 'sliding_window', what: `a window of ${fields.sliding_window} tokens is not supported` }]
    : []),
  ...(fields.quantization_config === undefined || fields.quantization_config === null
    ? []
    : [{ where: 'quantization_config', what: 'quantised weights are not supported' }]),
];
