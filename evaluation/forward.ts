/**
 * One plain forward pass over a sequence of tokens: every row's argmax and loss, and of the last rows all there is.
 */
import { chunkSizes } from './chunks.js';
import type { FeedOptions, FeedResult } from './feed.js';
import type { SequenceDecoder } from './sequenceDecoder.js';

export interface ForwardPass {
  /** [T] argmax of every row. */
  readonly top1: readonly number[];
  /** [T - 1] -ln p(token t + 1 given tokens 0..t), nats. */
  readonly nll: readonly number[];
  /** Logits and probes of the last rows. */
  readonly last: FeedResult;
  /** False where a number is infinite or not a number. */
  readonly finite: boolean;
}

/** Tokens whose rows are computed at once where a sequence can be fed in pieces: bounds the logits that exist at one time. */
const PIECE_TOKENS = 256;

/**
 * @param tokens at least `rows` of them; the decoder must hold nothing and have room for all
 * @param rows the last rows, whose logits and probes are kept
 */
export async function forwardPass(decoder: SequenceDecoder, tokens: readonly number[], rows: number, probes: Pick<FeedOptions, 'spans' | 'localTokens'> = {}): Promise<ForwardPass> {
  const top1: number[] = [];
  const nll: number[] = [];
  const finite: boolean[] = [];
  const feed = async (from: number, to: number, options: FeedOptions): Promise<FeedResult> => {
    const result = await decoder.feed(tokens.slice(from, to), { ...options, logitRows: to - from, targets: targetsOf(tokens, from, to) });
    top1.push(...result.rows.map((row) => row.top1));
    nll.push(...result.rows.map((row) => row.nll));
    finite.push(result.finite);
    return result;
  };

  const shown = { keepLogits: true, probeRows: rows, ...probes };
  const firstRow = tokens.length - rows;
  if (!decoder.keepsKv) {
    await feed(0, tokens.length, {});
    decoder.rewind(0);
    const last = await decoder.feed(tokens, { ...shown, logitRows: rows, targets: targetsOf(tokens, firstRow, tokens.length) });
    return { top1, nll: nll.slice(0, -1), last, finite: last.finite && finite.every(Boolean) };
  }
  const cut = { headSize: decoder.checkpoint.config.headSize, rows: 0, longest: PIECE_TOKENS };
  let from = 0;
  for (const size of chunkSizes(firstRow, cut) ?? [firstRow]) {
    if (size > 0) await feed(from, from + size, {});
    from += size;
  }
  const last = await feed(firstRow, tokens.length, shown);
  return { top1, nll: nll.slice(0, -1), last, finite: finite.every(Boolean) };
}

/** The token that follows each. The last one has no successor: its loss is computed against token 0 and dropped. */
const targetsOf = (tokens: readonly number[], from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => tokens[from + index + 1] ?? 0);
