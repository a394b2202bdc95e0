/**
 * Names and shapes of a LLaMA-family decoder's tensors, as Hugging Face stores them: matrices are [outputs, inputs].
 */
import type { ModelConfig } from './config.js';

export const EMBEDDING = 'model.embed_tokens.weight';
export const FINAL_NORM = 'model.norm.weight';

/** The matrix that turns the last hidden state into logits. */
export const outputProjection = (config: ModelConfig): string => (config.tiedEmbeddings ? EMBEDDING : 'lm_head.weight');

export const layerTensors = (layer: number) => {
  const prefix = `model.layers.${layer}`;
  return {
    attentionNorm: `${prefix}.input_layernorm.weight`,
    query: `${prefix}.self_attn.q_proj.weight`,
    key: `${prefix}.self_attn.k_proj.weight`,
    value: `${prefix}.self_attn.v_proj.weight`,
    attentionOutput: `${prefix}.self_attn.o_proj.weight`,
    mlpNorm: `${prefix}.post_attention_layernorm.weight`,
    gate: `${prefix}.mlp.gate_proj.weight`,
    up: `${prefix}.mlp.up_proj.weight`,
    down: `${prefix}.mlp.down_proj.weight`,
  };
};

/** Name -> shape of every tensor that the decoder reads. */
export function tensorShapes(config: ModelConfig): Map<string, readonly number[]> {
  const { hiddenSize, intermediateSize, vocabularySize } = config;
  const querySize = config.heads * config.headSize;
  const keyValueSize = config.keyValueHeads * config.headSize;
  const layers = Array.from({ length: config.layers }, (_, layer): [string, number[]][] => {
    const names = layerTensors(layer);
    return [
      [names.attentionNorm, [hiddenSize]],
      [names.query, [querySize, hiddenSize]],
      [names.key, [keyValueSize, hiddenSize]],
      [names.value, [keyValueSize, hiddenSize]],
      [names.attentionOutput, [hiddenSize, querySize]],
      [names.mlpNorm, [hiddenSize]],
      [names.gate, [intermediateSize, hiddenSize]],
      [names.up, [intermediateSize, hiddenSize]],
      [names.down, [hiddenSize, intermediateSize]],
    ];
  });
  return new Map<string, readonly number[]>([
    [EMBEDDING, [vocabularySize, hiddenSize]],
    [outputProjection(config), [vocabularySize, hiddenSize]],
    [FINAL_NORM, [hiddenSize]],
    ...layers.flat(),
  ]);
}
