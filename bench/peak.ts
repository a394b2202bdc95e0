/**
 * What the machine's matrix kernel does at its best, and what the decoder's linears and attention get of it, one operator
 * at a time.
 */
import { performance } from 'node:perf_hooks';
import { fusedAttention } from '../model/attention.js';
import { GraphBuilder, type Value } from '../model/graphBuilder.js';
import { openSession, tensor, type RuntimeTensor, type Tensors } from '../runtime/session.js';
import { SHAPE } from './shape.js';

const ROUNDS = 7;
const CHUNK = 1024;
const PAST = 3072;
const SQUARES = [1024, 2048];

const noise = (...shape: number[]): RuntimeTensor =>
  tensor('float32', Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, index) => ((index * 0.6180339887498949) % 1) - 0.5), shape);

interface Operator {
  readonly flops: number;
  readonly inputs: Tensors;
  /** Builds the operator; only one column of its result leaves the graph. */
  readonly build: (graph: GraphBuilder) => Value;
  readonly rank: number;
}

const floats = (graph: GraphBuilder, name: string, { dims }: RuntimeTensor): Value => graph.input(name, 'float32', dims);

function product(rows: number, inner: number, columns: number, transposed: boolean): Operator {
  const a = noise(rows, inner);
  const b = transposed ? noise(columns, inner) : noise(inner, columns);
  return {
    flops: 2 * rows * inner * columns,
    inputs: { a, b },
    rank: 2,
    build: (graph) => {
      const [left, right] = [floats(graph, 'a', a), floats(graph, 'b', b)];
      return transposed ? graph.linear(left, right) : graph.node('MatMul', [left, right]);
    },
  };
}

function attention(): Operator {
  const { heads, keyValueHeads, headSize } = SHAPE;
  const query = noise(1, CHUNK, heads * headSize);
  const key = noise(1, CHUNK, keyValueHeads * headSize);
  const past = noise(1, keyValueHeads, PAST + CHUNK, headSize);
  const counts = { last: tensor('int32', Int32Array.of(PAST + CHUNK - 1), [1]), present: tensor('int32', Int32Array.of(PAST + CHUNK), []) };
  return {
    flops: 4 * heads * headSize * (CHUNK * PAST + (CHUNK * (CHUNK + 1)) / 2),
    inputs: { query, key, value: key, pastKey: past, pastValue: past, ...counts },
    rank: 3,
    build: (graph) =>
      fusedAttention(graph, SHAPE, null, {
        query: floats(graph, 'query', query),
        key: floats(graph, 'key', key),
        value: floats(graph, 'value', key),
        pastKey: floats(graph, 'pastKey', past),
        pastValue: floats(graph, 'pastValue', past),
        lastKey: graph.input('last', 'int32', [1]),
        presentTokens: graph.input('present', 'int32', []),
      }).mixed,
  };
}

/** Runs operators in turn; each one's best rate in GFLOP/s. */
async function rates(operators: readonly Operator[], threads: number): Promise<number[]> {
  const opened = await Promise.all(
    operators.map(async ({ build, inputs, rank }) => {
      const graph = new GraphBuilder();
      graph.output('y', graph.slice(build(graph), graph.ints(0), graph.ints(1), rank - 1), 'float32', Array.from({ length: rank }, (_, axis) => `y${axis}`));
      const session = await openSession(graph.encode('operator'), { threads });
      return { run: () => session.run(inputs, { y: null }), release: () => session.release() };
    }),
  );
  const best = operators.map(() => Infinity);
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, { run }] of opened.entries()) {
      const start = performance.now();
      await run();
      if (round > 0) best[index] = Math.min(best[index] ?? Infinity, performance.now() - start);
    }
  }
  for (const { release } of opened) await release();
  return operators.map(({ flops }, index) => flops / (best[index] ?? Infinity) / 1e6);
}

/** Figures: the peak, and the shares of it. */
export async function peakFigures(threads: number): Promise<Record<string, number>> {
  const { width, mlp, keyValueHeads, headSize } = SHAPE;
  const linears = [product(CHUNK, width, width, true), product(CHUNK, width, keyValueHeads * headSize, true), product(CHUNK, width, mlp, true), product(CHUNK, mlp, width, true)];
  const times = [2, 2, 2, 1];
  const squares = SQUARES.flatMap((size) => [product(size, size, size, false), product(size, size, size, true)]);
  const measured = await rates([attention(), ...linears, ...squares], threads);
  const [causal = 0, ...each] = measured.slice(0, 1 + linears.length);
  const peak = Math.max(...measured.slice(1 + linears.length));
  const flops = linears.map((one, index) => one.flops * (times[index] ?? 0));
  const linear = sum(flops) / sum(flops.map((one, index) => one / (each[index] ?? 0)));
  return { 'peak GFLOP/s (square MatMul)': peak, 'linears-of-peak': linear / peak, [`attention-of-peak (causal, ${CHUNK} after ${PAST})`]: causal / peak };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
