/**
 * The metadata of a GGUF file in the words of config.json, so that both are read, checked and refused by one code
 * (config.ts). Keys are those of ggml's docs/gguf.md; what a key means is what llama.cpp makes of it.
 */
import { firstFew, RopesweepError, type Problem } from '../domain/errors.js';
import type { JsonObject } from '../domain/tokenizer.js';
import type { GgufContainer, GgufValue } from './ggufContainer.js';

const ARCHITECTURES = ['llama', 'qwen2'] as const;
export type GgufArchitecture = (typeof ARCHITECTURES)[number];
const isKnown = (name: unknown): name is GgufArchitecture => ARCHITECTURES.some((known) => known === name);

/** @throws RopesweepError CHECKPOINT_INVALID, MODEL_UNSUPPORTED */
export function ggufArchitecture(file: string, { metadata }: GgufContainer): GgufArchitecture {
  const name = metadata.get('general.architecture');
  if (isKnown(name)) return name;
  if (name === undefined) throw new RopesweepError('CHECKPOINT_INVALID', { where: file, what: 'the key general.architecture is missing: it is not a model' });
  throw new RopesweepError('MODEL_UNSUPPORTED', {
    where: `${file}: general.architecture`,
    what: `${String(name)} is not one of ${ARCHITECTURES.join(', ')}`,
    mend: 'Use the Hugging Face folder of the model if its family is supported there (docs/models.md).',
  });
}

/** Key (below the architecture's name) -> field of config.json. */
const FIELDS = {
  block_count: 'num_hidden_layers',
  context_length: 'max_position_embeddings',
  embedding_length: 'hidden_size',
  feed_forward_length: 'intermediate_size',
  'attention.head_count': 'num_attention_heads',
  'attention.layer_norm_rms_epsilon': 'rms_norm_eps',
} as const;
const OPTIONAL_FIELDS = {
  'attention.head_count_kv': 'num_key_value_heads',
  'attention.key_length': 'head_dim',
  'rope.freq_base': 'rope_theta',
} as const;
/** Read below, or without a meaning for a forward pass. */
const OTHER_KEYS = new Set([
  'vocab_size', 'tensor_data_layout', 'attention.value_length', 'attention.layer_norm_epsilon', 'attention.causal', 'rope.dimension_count',
  'rope.scale_linear', 'rope.scaling.type', 'rope.scaling.factor', 'rope.scaling.original_context_length', 'rope.scaling.finetuned',
  'rope.scaling.attn_factor', 'rope.scaling.yarn_beta_fast', 'rope.scaling.yarn_beta_slow',
]);

type Lookup = (key: string) => GgufValue | undefined;

/**
 * The fields that config.ts reads.
 * @throws RopesweepError CHECKPOINT_INVALID for a missing key; MODEL_UNSUPPORTED for one that ropesweep does not heed
 */
export function ggufFields(file: string, architecture: GgufArchitecture, { metadata, tensors }: GgufContainer): JsonObject {
  const value: Lookup = (key) => decimal(metadata.get(`${architecture}.${key}`));
  const missing = Object.keys(FIELDS).filter((key) => value(key) === undefined);
  if (missing.length > 0) {
    throw new RopesweepError('CHECKPOINT_INVALID', missing.map((key) => ({ where: file, what: `the key ${architecture}.${key} is missing` })));
  }
  const unsupported = [...unheededKeys(architecture, metadata), ...unheededValues(architecture, value)];
  if (unsupported.length > 0) throw new RopesweepError('MODEL_UNSUPPORTED', firstFew(unsupported.map((problem) => ({ ...problem, where: `${file}: ${problem.where}` }))));

  const [heads, width] = [Number(value('attention.head_count')), Number(value('embedding_length'))];
  const headSize = Number(value('attention.key_length') ?? width / heads);
  const rotary = value('rope.dimension_count');
  return {
    model_type: architecture,
    ...Object.fromEntries(Object.entries({ ...FIELDS, ...OPTIONAL_FIELDS }).map(([key, field]) => [field, value(key)])),
    vocab_size: value('vocab_size') ?? tensors.get('token_embd.weight')?.shape[0],
    tie_word_embeddings: !tensors.has('output.weight'),
    attention_bias: tensors.has('blk.0.attn_output.bias'),
    mlp_bias: tensors.has('blk.0.ffn_down.bias'),
    ...(typeof rotary === 'number' && rotary !== headSize && { partial_rotary_factor: rotary / headSize }),
    rope_scaling: ropeScaling(value),
  };
}

/** Keys that may change what the model computes, and that nobody reads here. */
function unheededKeys(architecture: string, metadata: GgufContainer['metadata']): Problem[] {
  const read = new Set([...Object.keys(FIELDS), ...Object.keys(OPTIONAL_FIELDS), ...OTHER_KEYS]);
  return [...metadata].flatMap(([key, value]) => {
    if (!key.startsWith(`${architecture}.`) || read.has(key.slice(architecture.length + 1))) return [];
    return value === 0 || value === false || value === '' ? [] : [{ where: key, what: `${String(value)}: a setting that ropesweep does not have` }];
  });
}

const SCALINGS = ['none', 'linear', 'yarn'];

function unheededValues(architecture: string, value: Lookup): Problem[] {
  const scaling = value('rope.scaling.type') ?? 'none';
  const [keySize, valueSize] = [value('attention.key_length'), value('attention.value_length')];
  return [
    ...(value('attention.causal') === false ? [{ where: `${architecture}.attention.causal`, what: 'an encoder is not a decoder' }] : []),
    ...(keySize === valueSize ? [] : [{ where: `${architecture}.attention.value_length`, what: `${String(valueSize)} is not attention.key_length ${String(keySize)}` }]),
    ...(SCALINGS.includes(String(scaling)) ? [] : [{ where: `${architecture}.rope.scaling.type`, what: `${String(scaling)} is not one of ${SCALINGS.join(', ')}` }]),
  ];
}

/** llama.cpp takes a factor without a type for linear, and YaRN's attn_factor as a multiplier of the paper's 0.1 ln s + 1. */
function ropeScaling(value: Lookup): JsonObject | null {
  const factor = value('rope.scaling.factor') ?? value('rope.scale_linear');
  const type = value('rope.scaling.type') ?? (factor === undefined ? 'none' : 'linear');
  if (type === 'none' || (type === 'linear' && factor === 1)) return null;
  const multiplier = value('rope.scaling.attn_factor');
  const attentionFactor = typeof multiplier === 'number' && typeof factor === 'number' ? multiplier * (0.1 * Math.log(factor) + 1) : undefined;
  const given = {
    factor,
    original_max_position_embeddings: value('rope.scaling.original_context_length'),
    ...(type === 'yarn' && {
      beta_fast: value('rope.scaling.yarn_beta_fast'),
      beta_slow: value('rope.scaling.yarn_beta_slow'),
      attention_factor: attentionFactor,
    }),
  };
  return { rope_type: type, ...Object.fromEntries(Object.entries(given).filter(([, field]) => field !== undefined)) };
}

/** Numbers are kept in float32; a person wrote the shortest decimal that rounds to it: 1e-5, not 9.999999747378752e-6. */
function decimal(value: GgufValue | undefined): GgufValue | undefined {
  if (typeof value !== 'number' || Number.isInteger(value)) return value;
  for (let digits = 1; digits < 10; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return value;
}
