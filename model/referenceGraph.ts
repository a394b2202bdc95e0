/**
 * A decoder by its definitions: every fused operator of the graphs that measure is written out in standard ones, for a
 * sequence of fixed length in one run. `ropesweep model verify` holds the others against it.
 */
import { answerRows } from './answerRows.js';
import { DECODER } from './decoderInterface.js';
import { decoderLayers, type GraphSource } from './decoderLayers.js';
import { GraphBuilder, type Value } from './graphBuilder.js';
import { attendByDefinition, rotateByDefinition } from './referenceAttention.js';
import { FINAL_NORM, outputProjection } from './tensorNames.js';

/** Norm and activation by definition. Products stay fused: a transposed copy of every weight would double the memory. */
class PlainGraphBuilder extends GraphBuilder {
  /** w x / sqrt(mean(x^2) + epsilon). Zhang and Sennrich 2019, "Root mean square layer normalization". */
  override rmsNorm = (value: Value, weight: Value, epsilon: number): Value => {
    const mean = this.node('ReduceMean', [this.mul(value, value), this.ints(-1)], { keepdims: { int: 1 } });
    return this.mul(this.node('Div', [value, this.node('Sqrt', [this.add(mean, this.scalar(epsilon))])]), weight);
  };

  override silu = (value: Value): Value => this.mul(value, this.node('Sigmoid', [value]));
}

/**
 * Inputs: tokens [1, T], cos and sin [T, rotarySize / 2], rowStart and targets as in {@link DECODER}; outputs likewise.
 * @param tokens T
 * @throws RopesweepError MODEL_UNSUPPORTED
 */
export function referenceGraph(source: GraphSource, tokens: number): Uint8Array {
  const { config, geometry } = source;
  const graph = new PlainGraphBuilder();
  const { inputs } = DECODER;
  const tables = {
    cos: graph.input(inputs.cos, 'float32', [tokens, geometry.rotarySize / 2]),
    sin: graph.input(inputs.sin, 'float32', [tokens, geometry.rotarySize / 2]),
  };
  const shape = { tokens, heads: config.heads, keyValueHeads: config.keyValueHeads, headSize: config.headSize, rotarySize: geometry.rotarySize };
  const hidden = decoderLayers(graph, source, {
    tokens: graph.input(inputs.tokens, 'int64', [1, tokens]),
    rotate: (value, heads) => rotateByDefinition(graph, { ...shape, heads }, value, tables),
    attend: (layer, projected) => attendByDefinition(graph, shape, config.windows?.[layer] ?? null, projected),
  });
  answerRows(graph, config, hidden, { norm: FINAL_NORM, projection: outputProjection(config) });
  return graph.encode('reference');
}
