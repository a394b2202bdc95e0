/**
 * Most threads that leave the bits of a decoder's products as one thread computes them.
 *
 * ONNX Runtime's kernel for x W^T (MLAS, sgemm.cpp) sums over the K inputs in slices of 128, and in longer ones where it
 * computes few outputs: 256 for up to 64 of them, 512 for up to 32, 1024 for up to 16. When rows are fewer than the N
 * outputs, threads share the outputs out in blocks of 16, so that a thread's share may take longer slices than the whole
 * would: the same sum in another order, and only for chunks shorter than N. Key and value projections with few heads are
 * where it happens: with N = 192 (SmolLM2-135M) at four threads, not at two.
 */
import type { ModelConfig } from './config.js';

const SLICE = 128;
const BLOCK = 16;
/** No machine has more. */
const MOST = 1024;

/** Inputs summed at once where `outputs` outputs of `inputs` inputs each are computed together. */
function slice(outputs: number, inputs: number): number {
  if (outputs >= inputs) return Math.min(SLICE, inputs);
  let [width, length] = [SLICE, SLICE];
  while (width > BLOCK && width / 2 >= outputs) {
    width /= 2;
    length *= 2;
  }
  return Math.min(length, inputs);
}

/** Whether every share of the outputs is summed like the whole. */
function isExact(outputs: number, inputs: number, threads: number): boolean {
  const blocks = Math.ceil(outputs / BLOCK);
  const least = Math.floor(blocks / Math.min(threads, blocks)) * BLOCK - (blocks * BLOCK - outputs);
  return slice(least, inputs) === slice(outputs, inputs);
}

/** At least 1; a run may use any number of threads up to it. */
export function mostExactThreads({ hiddenSize, intermediateSize, heads, keyValueHeads, headSize }: ModelConfig): number {
  const products: readonly (readonly [outputs: number, inputs: number])[] = [
    [heads * headSize, hiddenSize],
    [keyValueHeads * headSize, hiddenSize],
    [hiddenSize, heads * headSize],
    [intermediateSize, hiddenSize],
    [hiddenSize, intermediateSize],
  ];
  let threads = 1;
  while (threads < MOST && products.every(([outputs, inputs]) => isExact(outputs, inputs, threads + 1))) threads += 1;
  return threads;
}
