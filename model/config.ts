/**
 * config.json of a checkpoint folder, as Hugging Face writes it: architecture, RoPE geometry, RoPE settings.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, RopesweepError, whyUnreadable, type Problem } from '../domain/errors.js';
import type { Method, RopeGeometry } from '../domain/method.js';
import { familyOf, familyShape, layerParts, shortLists } from './families.js';
import type { Projection } from './projection.js';
import { ropeConfigShape, ropeSettings } from './ropeSettings.js';
import { unsupportedFeatures } from './unsupportedFeatures.js';

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
  /** Projections with a bias; absent: none. */
  readonly biases?: readonly Projection[];
  /** RMSNorm of each head's queries and keys before the rotation. */
  readonly queryKeyNorm?: true;
  /** By layer: keys a query sees, its own among them, or null for all before it; absent: all in every layer. */
  readonly windows?: readonly (number | null)[];
  /** Layers whose queries and keys carry no position (NoPE); absent: none. */
  readonly unrotatedLayers?: readonly number[];
}

export interface ConfigFile {
  /** `model_type` of config.json. */
  readonly family: string;
  readonly config: ModelConfig;
  readonly geometry: RopeGeometry;
  /** The method that config.json itself names; none where it names none. */
  readonly ropeSettings: Method;
  /** Where its RoPE settings may be meant otherwise, and how they were read. */
  readonly ropeWarnings: readonly Problem[];
}

const count = z.int().positive().max(2 ** 31 - 1);

const fileSchema = z.looseObject({
  model_type: z.string(),
  hidden_size: count,
  intermediate_size: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  vocab_size: count,
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().nullish(),
  ...familyShape,
  ...ropeConfigShape,
});
type FileFields = z.infer<typeof fileSchema>;

/**
 * Reads and checks config.json; unknown fields are left alone, unknown features refused by name.
 * @param place its folder, or the file itself
 * @throws RopesweepError CHECKPOINT_MISSING, CHECKPOINT_INVALID, MODEL_UNSUPPORTED
 */
export async function readConfig(place: string): Promise<ConfigFile> {
  const file = path.extname(place) === '.json' ? place : path.join(place, 'config.json');
  return configOf(file, parseJson(file, await readText(place, file)));
}

/**
 * The same of fields that are at hand; a GGUF file's metadata are brought into these words (model/ggufConfig.ts).
 * @param file what errors name
 * @throws RopesweepError CHECKPOINT_INVALID, MODEL_UNSUPPORTED
 */
export function configOf(file: string, json: unknown): ConfigFile {
  const at = (problem: Problem): Problem => ({ ...problem, where: `${file}: ${problem.where}` });
  const features = isObject(json) ? unsupportedFeatures(json) : [];
  if (features.length > 0) throw new RopesweepError('MODEL_UNSUPPORTED', features.map(at));
  const fields = parseFields(file, json);
  const family = familyOf(fields.model_type);

  const keyValueHeads = fields.num_key_value_heads ?? fields.num_attention_heads;
  const headSize = fields.head_dim ?? family?.headSize ?? fields.hidden_size / fields.num_attention_heads;
  const rope = ropeSettings(fields, headSize);
  const invalid = [...divisibility(fields, keyValueHeads, headSize), ...oddRotation(rope.geometry, headSize), ...shortLists(fields), ...rope.invalid];
  if (invalid.length > 0) throw new RopesweepError('CHECKPOINT_INVALID', invalid.map(at));
  if (rope.unsupported.length > 0) throw new RopesweepError('MODEL_UNSUPPORTED', rope.unsupported.map(at));

  return {
    family: fields.model_type,
    config: {
      layers: fields.num_hidden_layers,
      hiddenSize: fields.hidden_size,
      intermediateSize: fields.intermediate_size,
      heads: fields.num_attention_heads,
      keyValueHeads,
      headSize,
      vocabularySize: fields.vocab_size,
      rmsNormEpsilon: fields.rms_norm_eps,
      tiedEmbeddings: fields.tie_word_embeddings ?? family?.tiedEmbeddings ?? false,
      ...(family && layerParts(family, fields)),
    },
    geometry: rope.geometry,
    ropeSettings: rope.method,
    ropeWarnings: rope.warnings.map(at),
  };
}

const isObject = (json: unknown): json is Readonly<Record<string, unknown>> => typeof json === 'object' && json !== null && !Array.isArray(json);

async function readText(place: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new RopesweepError(
      'CHECKPOINT_MISSING',
      {
        where: file,
        what: whyUnreadable(cause),
        mend: `A checkpoint is a folder with config.json and model.safetensors; check the path ${place}.`,
      },
      { cause },
    );
  }
}

const oddRotation = ({ rotarySize }: RopeGeometry, headSize: number): Problem[] =>
  rotarySize === headSize || (rotarySize > 0 && rotarySize % 2 === 0)
    ? []
    : [{ where: 'partial_rotary_factor', what: `${rotarySize} of a head's ${headSize} dimensions cannot rotate in pairs` }];

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
