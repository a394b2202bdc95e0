/**
 * One plain forward pass over a sequence of tokens: every row's argmax and loss, and of the last rows all there is.
 */
import { chunkSizes } from './chunks.js';
import type { Decoder, FeedOptions, FeedResult } from './decoder.js';

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

/** Tokens whose rows are computed at once: bounds the logits that exist at one time. */
const PIECE_TOKENS = 256;

/**
 * @param tokens at least `rows` of them; the decoder must hold nothing and have room for all
 * @param rows the last rows, whose logits and probes are kept
 */
export async function forwardPass(decoder: Decoder, tokens: readonly number[], rows: number, probes: Pick<FeedOptions, 'spans' | 'localTokens'> = {}): Promise<ForwardPass> {
  const top1: number[] = [];
  const nll: number[] = [];
  let finite = true;
  const feed = async (from: number, to: number, options: Parameters<Decoder['feed']>[1]): Promise<FeedResult> => {
    // The last token has no successor: its loss is computed against token 0 and dropped below.
    const targets = Array.from({ length: to - from }, (_, index) => tokens[from + index + 1] ?? 0);
    const result = await decoder.feed(tokens.slice(from, to), { ...options, logitRows: to - from, targets });
    top1.push(...result.rows.map((row) => row.top1));
    nll.push(...result.rows.map((row) => row.nll));
    finite &&= result.finite;
    return result;
  };

  const firstRow = tokens.length - rows;
  const cut = { headSize: decoder.checkpoint.config.headSize, rows: 0, longest: PIECE_TOKENS };
  let from = 0;
  for (const size of chunkSizes(firstRow, cut) ?? [firstRow]) {
    if (size > 0) await feed(from, from + size, {});
    from += size;
  }
  const last = await feed(firstRow, tokens.length, { keepLogits: true, probeRows: rows, ...probes });
  return { top1, nll: nll.slice(0, -1), last, finite };
}
