/**
 * Greedy decoding: the most likely token at every step, fed back, until an end token or a number of tokens.
 */
import type { FeedResult } from './decoder.js';
import type { SequenceDecoder } from './sequenceDecoder.js';

export interface GreedyStep {
  readonly token: number;
  /** Of the row that predicts the token; of no rows where none is probed. */
  readonly probes: FeedResult['probes'];
}

export interface GreedyOptions {
  /** Most tokens to generate. */
  readonly tokens: number;
  readonly endTokens: ReadonlySet<number>;
  /** Whether each step's attention is probed. */
  readonly probed: boolean;
}

/**
 * Generates what follows `token`, which follows what the decoder holds.
 * @returns null if a number was not finite
 */
export async function decodeGreedily(decoder: SequenceDecoder, token: number, { tokens, endTokens, probed }: GreedyOptions): Promise<GreedyStep[] | null> {
  const steps: GreedyStep[] = [];
  let last = token;
  while (steps.length < tokens && !endTokens.has(last)) {
    const { rows, probes, finite } = await decoder.feed([last], { logitRows: 1, probeRows: probed ? 1 : 0 });
    const [top] = rows;
    if (top === undefined || !finite) return null;
    last = top.top1;
    steps.push({ token: last, probes });
  }
  return steps;
}
