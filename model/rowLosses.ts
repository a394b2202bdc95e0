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
  const rowsInBlocks = blocksOfRows(graph, rows);
  const inBlocks = (value: Value): Value => graph.node('Gather', [value, rowsInBlocks], { axis: { int: 0 } }); // [blocks, LOSS_BLOCK_ROWS, columns]
  const [blocks, targetBlocks] = [inBlocks(normed), inBlocks(targets)];
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

/**
 * Rows 0 to S - 1 as whole blocks, [blocks, LOSS_BLOCK_ROWS]; the last row fills the last block up. Rows are gathered and
 * not padded: CUDA pads neither bfloat16 nor integers.
 */
function blocksOfRows(graph: GraphBuilder, rows: Value): Value {
  // -S mod block is not negative in ONNX's integers.
  const missing = graph.node('Mod', [graph.node('Neg', [rows]), graph.ints(LOSS_BLOCK_ROWS)]);
  const scalar = (value: number): Value => graph.constant('int64', [value], []);
  const all = graph.node('Range', [scalar(0), graph.node('Squeeze', [graph.add(rows, missing)]), scalar(1)]);
  return graph.reshape(graph.node('Min', [all, graph.sub(rows, graph.ints(1))]), -1, LOSS_BLOCK_ROWS);
}
