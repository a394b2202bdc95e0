/**
 * The layers of a LLaMA-family decoder, whatever keeps its keys and values.
 *
 * Pre-norm residual blocks: x += Attention(RMSNorm(x)); x += Down(silu(Gate(RMSNorm(x))) * Up(RMSNorm(x))); logits =
 * Output(RMSNorm(x)). Touvron et al. 2023, "LLaMA", section 2.2.
 *
 * Weights, residuals and products are in the type of the weights; norms, rotation and the activation are computed in
 * float32 (a float16 activation is rounded once, at its end).
 */
import { RopesweepError } from '../domain/errors.js';
import type { Checkpoint } from './checkpoint.js';
import type { ModelConfig } from './config.js';
import { assertIndexable } from './elementLimit.js';
import { FLOAT_OF_DTYPE, type FloatType, type GraphBuilder, type Value } from './graphBuilder.js';
import type { Projection } from './projection.js';
import { biasOf, EMBEDDING, layerTensors, tensorShapes } from './tensorNames.js';

/** What a graph is made of: no weight is read, so its tensors may be shapes alone. */
export type GraphSource = Pick<Checkpoint, 'config' | 'geometry' | 'tensors' | 'folder'>;

/** Each [1, S, heads x headSize]; queries and keys are rotated. */
export interface Projected {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

export interface LayerParts {
  /** int64 [1, S] */
  readonly tokens: Value;
  /** Of queries or keys in float32, [1, S, heads x headSize]. */
  readonly rotate: (value: Value, heads: number) => Value;
  /** Mixed values, [1, S, heads x headSize]. */
  readonly attend: (layer: number, projected: Projected) => Value;
  /** Type of the weights; float32 if absent. */
  readonly type?: FloatType;
}

/**
 * @returns [1, S, hiddenSize] before the last norm
 * @throws RopesweepError MODEL_UNSUPPORTED if a weight has 2^31 elements or more
 */
export function decoderLayers(graph: GraphBuilder, source: GraphSource, { tokens, rotate, attend, type = 'float32' }: LayerParts): Value {
  const { config } = source;
  referWeights(graph, source, type);
  const inFloat32 = (value: Value, compute: (value: Value) => Value): Value =>
    type === 'float32' ? compute(value) : graph.cast(compute(graph.cast(value, 'float32')), type);

  let hidden = graph.node('Gather', [EMBEDDING, tokens], { axis: { int: 0 } });
  for (let layer = 0; layer < config.layers; layer += 1) {
    const names = layerTensors(layer);
    const project = (value: Value, projection: Projection): Value => {
      const product = graph.linear(value, names[projection]);
      return config.biases?.includes(projection) ? graph.add(product, biasOf(names[projection])) : product;
    };
    /** Queries or keys: a norm of each head where the family has one, then the rotation where the layer has one. */
    const turned = (value: Value, heads: number, norm: string): Value => {
      const normed = config.queryKeyNorm ? headNorm(graph, config, value, heads, norm) : value;
      return config.unrotatedLayers?.includes(layer) ? normed : inFloat32(normed, (wide) => rotate(wide, heads));
    };

    const normed = graph.rmsNorm(hidden, names.attentionNorm, config.rmsNormEpsilon);
    const query = turned(project(normed, 'query'), config.heads, names.queryNorm);
    const key = turned(project(normed, 'key'), config.keyValueHeads, names.keyNorm);
    const mixed = attend(layer, { query, key, value: project(normed, 'value') });
    hidden = graph.add(hidden, project(mixed, 'attentionOutput'));

    const mlpInput = graph.rmsNorm(hidden, names.mlpNorm, config.rmsNormEpsilon);
    const gated = graph.mul(inFloat32(project(mlpInput, 'gate'), graph.silu), project(mlpInput, 'up'));
    hidden = graph.add(hidden, project(gated, 'down'));
  }
  return hidden;
}

function referWeights(graph: GraphBuilder, { config, tensors, folder }: GraphSource, type: FloatType): void {
  for (const [name, shape] of tensorShapes(config)) {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new RopesweepError('CHECKPOINT_INVALID', { where: folder, what: `tensor ${name} is missing` });
    if (FLOAT_OF_DTYPE[tensor.dtype] !== type) throw new RopesweepError('INTERNAL', { where: folder, what: `tensor ${name} is ${tensor.dtype}; the graph reads ${type}` });
    assertIndexable(name, shape);
    graph.weight(name, tensor);
  }
}

/**
 * RMSNorm of each head by itself, with one weight for all. Yang et al. 2025, "Qwen3 Technical Report", section 2.
 * @param value [1, S, heads x headSize]
 */
function headNorm(graph: GraphBuilder, { headSize, rmsNormEpsilon }: ModelConfig, value: Value, heads: number, weight: Value): Value {
  const byHead = graph.reshape(value, 1, -1, heads, headSize);
  return graph.reshape(graph.rmsNorm(byHead, weight, rmsNormEpsilon), 1, -1, heads * headSize);
}
