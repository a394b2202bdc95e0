/**
 * Does this device compute attention? Fused against reference on fixed numbers, once before a slot takes work: on a broken
 * driver fused kernels have returned wrong logits without an error.
 */
import type { Device } from '../domain/device.js';
import { SELF_TEST, selfTestGraph } from '../model/selfTestGraph.js';
import { cosSinTables } from '../rope/cosSin.js';
import { openSession, tensor } from '../runtime/session.js';

/** Fixed numbers in [-2, 2] without a generator: the fractional parts of multiples of the golden ratio. */
const numbers = (length: number, offset: number): Float32Array =>
  Float32Array.from({ length }, (_, index) => 4 * ((((index + offset) * 0.6180339887498949) % 1) - 0.5));

/** Keys a query sees in the second run, so that the operator's window is tested too. */
const WINDOW = 7;

/** @returns the largest absolute difference of the two results; NaN if one of them is not finite. */
export const selfTest = async (threads: number, device: Device): Promise<number> =>
  Math.max(await largestDifference(threads, device, null), await largestDifference(threads, device, WINDOW));

async function largestDifference(threads: number, device: Device, window: number | null): Promise<number> {
  const { tokens, heads, keyValueHeads, headSize, rotarySize } = SELF_TEST;
  const pairs = rotarySize / 2;
  const inverseFrequencies = Array.from({ length: pairs }, (_, pair) => 10_000 ** (-pair / pairs));
  const { cos, sin } = cosSinTables({ inverseFrequencies, attentionFactor: 1 }, tokens);
  const session = await openSession(selfTestGraph(window), { threads, device });
  try {
    const { fused, reference } = await session.run(
      {
        query: tensor('float32', numbers(tokens * heads * headSize, 1), [1, tokens, heads * headSize]),
        key: tensor('float32', numbers(tokens * keyValueHeads * headSize, 10_007), [1, tokens, keyValueHeads * headSize]),
        value: tensor('float32', numbers(tokens * keyValueHeads * headSize, 20_011), [1, tokens, keyValueHeads * headSize]),
        past: tensor('float32', new Float32Array(keyValueHeads * tokens * headSize), [1, keyValueHeads, tokens, headSize]),
        cos: tensor('float32', cos, [tokens, pairs]),
        sin: tensor('float32', sin, [tokens, pairs]),
        start: tensor('int64', BigInt64Array.of(0n), [1]),
        last_key: tensor('int32', Int32Array.of(tokens - 1), [1]),
        present_tokens: tensor('int32', Int32Array.of(tokens), []),
      },
      { fused: null, reference: null },
    );
    const [ours, theirs] = [fused?.data as Float32Array, reference?.data as Float32Array];
    return ours.reduce((worst, value, index) => Math.max(worst, Math.abs(value - (theirs[index] ?? Number.NaN))), 0);
  } finally {
    await session.release();
  }
}
