/**
 * The loss of every token of a sequence given those before it, as far as it is asked for.
 *
 *   nll[t] = -ln p(token t + 1 given tokens 0..t)
 */
import { chunkSizes } from './chunks.js';
import type { SequenceDecoder } from './sequenceDecoder.js';

/** Logits that exist at one time: 64 MiB in float32, and as much again for their logarithms. */
const LOGITS_AT_ONCE = 2 ** 24;
const LONGEST_PIECE = 256;

/** Tokens whose rows of the output projection are computed in one run. */
export const pieceTokens = (vocabularySize: number): number => Math.max(2, Math.min(LONGEST_PIECE, Math.floor(LOGITS_AT_ONCE / vocabularySize)));

export class SequenceLosses {
  readonly #nll: Float32Array;
  #known = 0;

  /** The decoder must have room for all tokens but the last, and not be fed by others meanwhile. */
  constructor(
    private readonly decoder: SequenceDecoder,
    private readonly tokens: Int32Array,
    private readonly pieceLength = pieceTokens(decoder.checkpoint.config.vocabularySize),
  ) {
    this.#nll = new Float32Array(Math.max(0, tokens.length - 1));
  }

  /**
   * Losses of the first `count` tokens; asked again for more, it goes on where it stopped.
   * @returns [count - 1] nats: a view; not-a-number and infinities are passed on
   */
  async upTo(count: number): Promise<Float32Array> {
    const { decoder, tokens } = this;
    // What keeps nothing between runs computes all there is at once.
    const end = decoder.keepsKv ? count - 1 : this.#nll.length;
    if (this.#known < end) decoder.rewind(Math.min(this.#known, decoder.length));
    for (const size of this.#pieces(end)) {
      const [from, to] = [this.#known, this.#known + size];
      const { rows } = await decoder.feed(tokens.subarray(from, to), { logitRows: size, targets: tokens.subarray(from + 1, to + 1) });
      for (const [row, { nll }] of rows.entries()) this.#nll[from + row] = nll;
      this.#known = to;
    }
    return this.#nll.subarray(0, count - 1);
  }

  /** Sizes of the feeds that are left up to `end`. */
  #pieces(end: number): readonly number[] {
    const wanted = end - this.#known;
    if (wanted <= 0) return [];
    if (!this.decoder.keepsKv) return [wanted];
    const cut = { headSize: this.decoder.checkpoint.config.headSize, rows: 0, longest: this.pieceLength };
    return chunkSizes(wanted, cut) ?? [wanted];
  }
}
