/**
 * Fields of config.json by which models say that they compute something the graph does not, and what that is called.
 * They are looked at before anything else, so that a model of another kind is refused for what it is.
 */
import type { Problem } from '../domain/errors.js';
import { FAMILIES, familyOf } from './families.js';

interface Feature {
  readonly fields: readonly string[];
  readonly what: string;
  /** Whether a value switches the feature on. */
  readonly on: (value: unknown) => boolean;
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== false;
const isSeveral = (value: unknown): boolean => typeof value === 'number' && value > 1;
const isFactor = (value: unknown): boolean => typeof value === 'number' && value !== 1;

const FEATURES: readonly Feature[] = [
  { fields: ['quantization_config'], what: 'quantised weights', on: isGiven },
  { fields: ['num_local_experts', 'num_experts', 'n_routed_experts', 'moe_num_experts'], what: 'a mixture of experts', on: isSeveral },
  { fields: ['attn_logit_softcapping', 'final_logit_softcapping', 'logit_softcapping'], what: 'soft capping of logits', on: isGiven },
  { fields: ['alibi', 'use_alibi'], what: 'ALiBi in place of RoPE', on: isGiven },
  { fields: ['position_embedding_type'], what: 'other positions than RoPE', on: (value) => typeof value === 'string' && !/^(rope|rotary)/i.test(value) },
  { fields: ['parallel_attn', 'use_parallel_residual', 'parallel_residual'], what: 'attention and MLP in parallel (parallel residual)', on: isGiven },
  { fields: ['clip_qkv'], what: 'clipped queries, keys and values', on: isGiven },
  { fields: ['use_qk_norm', 'qk_layernorm'], what: 'norms of queries and keys in a family without them', on: isGiven },
  { fields: ['kv_lora_rank', 'q_lora_rank'], what: 'multi-head latent attention', on: isGiven },
  { fields: ['embedding_multiplier', 'residual_multiplier', 'logits_scaling', 'logit_scale', 'query_pre_attn_scalar', 'attention_multiplier'], what: 'scaled embeddings, residuals, queries or logits', on: isFactor },
  { fields: ['attention_chunk_size'], what: 'chunked attention', on: isGiven },
  { fields: ['attention_sinks', 'use_attention_sinks'], what: 'learned attention sinks', on: isGiven },
  { fields: ['lm_head_bias'], what: 'a bias on the output projection', on: isGiven },
  { fields: ['is_encoder_decoder'], what: 'an encoder', on: isGiven },
  { fields: ['text_config', 'vision_config', 'audio_config'], what: 'a model of several parts', on: isGiven },
];

const ACTIVATIONS = ['silu', 'swish'];
const LAYER_TYPES = ['full_attention', 'sliding_attention'];

/** @param config config.json as it was parsed, nothing in it believed yet */
export function unsupportedFeatures(config: Readonly<Record<string, unknown>>): Problem[] {
  const { model_type: type, layer_types: layerTypes } = config;
  const activation = config['hidden_act'] ?? config['hidden_activation'];
  const otherLayers = Array.isArray(layerTypes) ? layerTypes.filter((kind) => typeof kind === 'string' && !LAYER_TYPES.includes(kind)) : [];
  return [
    ...(typeof type === 'string' && familyOf(type) === undefined ? [{ where: 'model_type', what: `${type} is not one of ${Object.keys(FAMILIES).join(', ')}` }] : []),
    ...FEATURES.flatMap(({ fields, what, on }) => fields.filter((field) => on(config[field])).map((field) => ({ where: field, what: `${what} (${JSON.stringify(config[field]).slice(0, 60)})` }))),
    ...(typeof activation === 'string' && !ACTIVATIONS.includes(activation) ? [{ where: 'hidden_act', what: `${activation} is not silu` }] : []),
    ...(otherLayers.length > 0 ? [{ where: 'layer_types', what: `${String(otherLayers[0])} is not one of ${LAYER_TYPES.join(', ')}` }] : []),
    ...(type === 'llama' && isGiven(config['sliding_window']) ? [{ where: 'sliding_window', what: `a window of ${String(config['sliding_window'])} tokens, which the llama family does not have` }] : []),
  ];
}
