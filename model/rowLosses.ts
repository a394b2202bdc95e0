/**
 * Losses of all rows of a run, in blocks of rows: a whole prompt's logits would be the largest tensor of all (131,072 rows of
 * 32,000 have 4 x 2^30 elements), so each block's are reduced to three numbers a row before the next block's are made.
 *
 *   nll = ln sum_v e^(z_v) - z_target,  margin = z_(1) - z_(2),  top1 = the first argmax
 */
import type { ModelConfig } from './config.js';
import { DECODER } from './decoderInterface.js';
import type { GraphBuilder, Value } from './graphBuilder.js';

/** Rows whose logits exist at once. */
export const LOSS_BLOCK_ROWS = 1024;

/**
 * @param hidden [1, S, hiddenSize]
 * @param wide casts logits to float32
 */
export function rowLosses(
  graph: GraphBuilder,
  config: ModelConfig,
  hidden: Value,
  weights: { readonly norm: Value; readonly projection: Value },
  wide: (value: Value) => Value,
): void {
  const { inputs, outputs } = DECODER;
  const targets = graph.input(inputs.targets, 'int64', ['S', 1]);
  const normed = graph.reshape(graph.rmsNorm(hidden, weights.norm, config.rmsNormEpsilon), -1, config.hiddenSize); // [S, hiddenSize]
  const rows = graph.slice(graph.node('Shape', [normed]), graph.ints(0), graph.ints(1), 0); // S
  // Up to a whole number of blocks: -S mod block, which is not negative in Python's and ONNX's integers.
  const padding = graph.node('Mod', [graph.node('Neg', [rows]), graph.ints(LOSS_BLOCK_ROWS)]);
  const inBlocks = (value: Value, columns: number): Value =>
    graph.reshape(graph.node('Pad', [value, graph.concat([graph.ints(0, 0), padding, graph.ints(0)], 0)]), -1, LOSS_BLOCK_ROWS, columns);
  const blocks = inBlocks(normed, config.hiddenSize);
  const targetBlocks = inBlocks(targets, 1);
  const [nll = '', top1 = '', margin = ''] = graph.scan([blocks, targetBlocks], ([block = '', target = '']) => {
    const logits = wide(graph.linear(block, weights.projection));
    const logProbabilities = graph.node('LogSoftmax', [logits], { axis: { int: -1 } });
    const losses = graph.node('Neg', [graph.node('GatherElements', [logProbabilities, target], { axis: { int: 1 } })]);
    const [best = '', bestIds = ''] = graph.nodes('TopK', [logits, graph.ints(2)], 2, { axis: { int: -1 } });
    const column = (value: Value, index: number) => graph.slice(value, graph.ints(index), graph.ints(index + 1), 1);
    return [losses, column(bestIds, 0), graph.sub(column(best, 0), column(best, 1))];
  });
  const real = (value: Value): Value => graph.slice(graph.reshape(value, -1), graph.ints(0), rows, 0);
  graph.output(outputs.nll, real(nll), 'float32', ['S']);
  graph.output(outputs.top1, real(top1), 'int64', ['S']);
  graph.output(outputs.margin, real(margin), 'float32', ['S']);
}
