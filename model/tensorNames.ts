/**
 * Names and shapes of a LLaMA-family decoder's tensors, as Hugging Face stores them: matrices are [outputs, inputs].
 */
import type { ModelConfig } from './config.js';
import type { Projection } from './projection.js';

export const EMBEDDING = 'model.embed_tokens.weight';
export const FINAL_NORM = 'model.norm.weight';

/** The matrix that turns the last hidden state into logits. */
export const outputProjection = (config: ModelConfig): string => (config.tiedEmbeddings ? EMBEDDING : 'lm_head.weight');

/** The vectors of a layer that no linear map holds. */
type LayerNorm = 'attentionNorm' | 'queryNorm' | 'keyNorm' | 'mlpNorm';

export function layerTensors(layer: number): Readonly<Record<Projection | LayerNorm, string>> {
  const prefix = `model.layers.${layer}`;
  return {
    attentionNorm: `${prefix}.input_layernorm.weight`,
    query: `${prefix}.self_attn.q_proj.weight`,
    key: `${prefix}.self_attn.k_proj.weight`,
    value: `${prefix}.self_attn.v_proj.weight`,
    queryNorm: `${prefix}.self_attn.q_norm.weight`,
    keyNorm: `${prefix}.self_attn.k_norm.weight`,
    attentionOutput: `${prefix}.self_attn.o_proj.weight`,
    mlpNorm: `${prefix}.post_attention_layernorm.weight`,
    gate: `${prefix}.mlp.gate_proj.weight`,
    up: `${prefix}.mlp.up_proj.weight`,
    down: `${prefix}.mlp.down_proj.weight`,
  };
}

/** The bias beside a projection's matrix. */
export const biasOf = (matrix: string): string => matrix.replace(/weight$/, 'bias');

/** Name -> shape of every tensor that the decoder reads. */
export function tensorShapes(config: ModelConfig): Map<string, readonly number[]> {
  const { hiddenSize, intermediateSize, vocabularySize, headSize } = config;
  const querySize = config.heads * headSize;
  const keyValueSize = config.keyValueHeads * headSize;
  const matrices: Readonly<Record<Projection, readonly [number, number]>> = {
    query: [querySize, hiddenSize],
    key: [keyValueSize, hiddenSize],
    value: [keyValueSize, hiddenSize],
    attentionOutput: [hiddenSize, querySize],
    gate: [intermediateSize, hiddenSize],
    up: [intermediateSize, hiddenSize],
    down: [hiddenSize, intermediateSize],
  };
  const layers = Array.from({ length: config.layers }, (_, layer): [string, readonly number[]][] => {
    const names = layerTensors(layer);
    return [
      [names.attentionNorm, [hiddenSize]],
      [names.mlpNorm, [hiddenSize]],
      ...(Object.entries(matrices) as [Projection, readonly [number, number]][]).map(([projection, shape]): [string, readonly number[]] => [names[projection], shape]),
      ...(config.biases ?? []).map((projection): [string, readonly number[]] => [biasOf(names[projection]), [matrices[projection][0]]]),
      ...(config.queryKeyNorm ? [names.queryNorm, names.keyNorm] : []).map((name): [string, readonly number[]] => [name, [headSize]]),
    ];
  });
  return new Map<string, readonly number[]>([
    [EMBEDDING, [vocabularySize, hiddenSize]],
    [outputProjection(config), [vocabularySize, hiddenSize]],
    [FINAL_NORM, [hiddenSize]],
    ...layers.flat(),
  ]);
}
