/**
 * The last R rows of a chunk: logits, and what a score needs of them, computed where the logits are.
 *
 *   nll = ln sum_v e^(z_v) - z_target,  margin = z_(1) - z_(2),  top1 = the first argmax
 *
 * The output projection runs on these rows only: a whole prompt's logits would be the largest tensor of all.
 */
import type { ModelConfig } from './config.js';
import { DECODER } from './decoderInterface.js';
import type { GraphBuilder, Value } from './graphBuilder.js';

/**
 * @param hidden [1, S, hiddenSize]
 * @param wide casts logits to float32, where the weights are narrower
 */
export function answerRows(
  graph: GraphBuilder,
  config: ModelConfig,
  hidden: Value,
  weights: { readonly norm: Value; readonly projection: Value },
  wide: (value: Value) => Value = (value) => value,
): void {
  const { inputs, outputs } = DECODER;
  const rowStart = graph.input(inputs.rowStart, 'int64', [1]);
  const targets = graph.input(inputs.targets, 'int64', ['R', 1]);
  const rows = graph.reshape(graph.slice(hidden, rowStart, graph.ints(Number.MAX_SAFE_INTEGER), 1), -1, config.hiddenSize);
  const logits = wide(graph.linear(graph.rmsNorm(rows, weights.norm, config.rmsNormEpsilon), weights.projection)); // [R, V]

  const logProbabilities = graph.node('LogSoftmax', [logits], { axis: { int: -1 } });
  const nll = graph.node('Neg', [graph.node('GatherElements', [logProbabilities, targets], { axis: { int: 1 } })]);
  const [best = '', bestIds = ''] = graph.nodes('TopK', [logits, graph.ints(2)], 2, { axis: { int: -1 } }); // [R, 2]
  const column = (value: Value, index: number) => graph.slice(value, graph.ints(index), graph.ints(index + 1), 1);

  graph.output(outputs.logits, logits, 'float32', ['R', config.vocabularySize]);
  graph.output(outputs.top1, graph.reshape(column(bestIds, 0), -1), 'int64', ['R']);
  graph.output(outputs.nll, graph.reshape(nll, -1), 'float32', ['R']);
  graph.output(outputs.margin, graph.reshape(graph.sub(column(best, 0), column(best, 1)), -1), 'float32', ['R']);
}
