/**
 * Perplexity, in every convention that one pass over a document gives: pure derivations from stored losses.
 *
 *   l_t         = -ln p(token t given the tokens of its window before it)                      nats
 *   perplexity  = exp(sum l_t / count)            over all tokens at once: weighted by token, not by window or document
 *   bits/byte   = sum l_t / (ln 2 x bytes)        does not depend on the tokenizer
 *
 *   first-L     l_1 .. l_(L-1) of one window: the first L tokens of a document, the first of which nothing predicts
 *   last-k      the last k of them: losses where about L tokens of context are seen
 *   disjoint    windows side by side; all their tokens count
 *   sliding     windows that start every S tokens; of each but the first only tokens that no window before it had
 *   bucket      losses whose context (tokens before, BOS among them) lies in [from, to)
 *
 * Sources: first-L over Proof-pile, Peng et al. 2023 (YaRN), section 4.3.1; sliding windows and their stride, Press et al.
 * 2022 (ALiBi), appendix B, and Hugging Face's "Perplexity of fixed-length models"; loss by position, Xiong et al. 2023,
 * "Effective long-context scaling"; bits per byte, Gao et al. 2020 (The Pile), section 3.1.
 */
import type { PerplexityNumbers } from './measurement.js';
import type { TaskSpecOf } from './taskSpec.js';

export type WindowConvention = TaskSpecOf<'perplexity'>['windows'];

/** A window of a document: one evaluation pass, with the ids before the document (BOS) at its front. */
export interface DocumentWindow {
  /** In tokens of the document, the ids before it not counted. */
  readonly start: number;
  /** Tokens of the pass, the ids before it and the last, which is only predicted, among them. */
  readonly tokens: number;
}

/**
 * The windows of one cell; the last is shorter where the document ends.
 * @param headTokens ids before the document, which stand before every window
 * @param documentTokens its tokens, headTokens included; null = without end
 */
export function documentWindows(convention: WindowConvention, contextTokens: number, headTokens: number, documentTokens: number | null): DocumentWindow[] {
  if (convention.kind === 'first') return [{ start: 0, tokens: contextTokens }];
  const room = contextTokens - headTokens;
  const step = convention.kind === 'sliding' ? convention.strideTokens : room;
  const own = documentTokens === null ? Infinity : documentTokens - headTokens;
  const windows: DocumentWindow[] = [];
  let seen = 0;
  for (let start = 0; windows.length < convention.maximumWindows && seen < own; start += step) {
    seen = Math.min(start + room, own);
    const tokens = headTokens + seen - start;
    // A token alone predicts nothing.
    if (tokens > 1) windows.push({ start, tokens });
  }
  return windows;
}

/** Tokens of the document that a cell reads, the ids before it included. */
export const tokensRead = (windows: readonly DocumentWindow[]): number => windows.reduce((most, { start, tokens }) => Math.max(most, start + tokens), 0);

/** Losses of some tokens: sums, so that those of several documents add up. */
export interface LossSum {
  /** Nats. */
  readonly sumNll: number;
  readonly tokenCount: number;
  /** UTF-8 bytes of the tokens; null where they are no text. */
  readonly byteCount: number | null;
}

const NOTHING: LossSum = { sumNll: 0, tokenCount: 0, byteCount: 0 };

export const addLosses = (losses: readonly LossSum[]): LossSum =>
  losses.reduce(
    (sum, { sumNll, tokenCount, byteCount }) => ({
      sumNll: sum.sumNll + sumNll,
      tokenCount: sum.tokenCount + tokenCount,
      byteCount: sum.byteCount === null || byteCount === null ? null : sum.byteCount + byteCount,
    }),
    NOTHING,
  );

/** null where there is no token. */
export const perplexity = ({ sumNll, tokenCount }: LossSum): number | null => (tokenCount === 0 ? null : Math.exp(sumNll / tokenCount));

/** null where tokens are no text, or have no byte. */
export const bitsPerByte = ({ sumNll, byteCount }: LossSum): number | null => (byteCount === null || byteCount === 0 ? null : sumNll / (Math.LN2 * byteCount));

/** What of a measurement the conventions read: losses of its windows one after the other. */
export type StoredLosses = Pick<PerplexityNumbers, 'nll' | 'tokenBytes' | 'windowTokens' | 'windowStarts'>;

/** A window's losses within the stored ones: indices [from, to). */
interface StoredWindow {
  readonly start: number;
  readonly tokens: number;
  readonly from: number;
  readonly to: number;
}

function storedWindows({ nll, windowTokens, windowStarts }: StoredLosses): StoredWindow[] {
  return windowStarts.map((start, index) => {
    const from = index * (windowTokens - 1);
    const to = Math.min(from + windowTokens - 1, nll.length);
    return { start, tokens: to - from + 1, from, to };
  });
}

function sumOf({ nll, tokenBytes }: StoredLosses, from: number, to: number): LossSum {
  let sumNll = 0;
  let byteCount = 0;
  for (let index = from; index < to; index += 1) {
    sumNll += nll[index] ?? NaN;
    byteCount += tokenBytes?.[index] ?? 0;
  }
  return { sumNll, tokenCount: to - from, byteCount: tokenBytes === null ? null : byteCount };
}

/**
 * first-L: the first `contextTokens` tokens of the document in one window.
 * @returns null if the first window has fewer tokens
 */
export function firstTokens(losses: StoredLosses, contextTokens: number): LossSum | null {
  const [first] = storedWindows(losses);
  return first === undefined || first.tokens < contextTokens ? null : sumOf(losses, 0, contextTokens - 1);
}

/**
 * last-k: of the first `contextTokens` tokens of every window that has them, the last `lastCount` losses (all, if fewer).
 * @returns null if no window has so many tokens
 */
export function lastTokens(losses: StoredLosses, contextTokens: number, lastCount: number): LossSum | null {
  const windows = storedWindows(losses).filter(({ tokens }) => tokens >= contextTokens);
  if (windows.length === 0) return null;
  const predictions = contextTokens - 1;
  return addLosses(windows.map(({ from }) => sumOf(losses, from + Math.max(0, predictions - lastCount), from + predictions)));
}

/** sliding and disjoint (and one whole window): every token that a window is the first to predict. */
export function countedTokens(losses: StoredLosses): LossSum {
  const windows = storedWindows(losses);
  return addLosses(
    windows.map(({ start, tokens, to }, index) => {
      const before = windows[index - 1];
      const counted = before === undefined ? tokens - 1 : Math.min(tokens - 1, start + tokens - before.start - before.tokens);
      return sumOf(losses, to - counted, to);
    }),
  );
}

/** Losses by how many tokens stood before the predicted one. */
export interface PositionBucket {
  readonly from: number;
  /** Not in the bucket itself. */
  readonly to: number;
  readonly losses: LossSum;
}

/**
 * Position buckets over all windows: [1, b0), [b0, b1), ..., the last as far as there are losses; empty ones are left out.
 * @param bounds ascending, in tokens; null = powers of two
 */
export function positionBuckets(losses: StoredLosses, bounds: readonly number[] | null): PositionBucket[] {
  const windows = storedWindows(losses);
  const longest = windows.reduce((most, { tokens }) => Math.max(most, tokens), 0);
  const edges = [1, ...(bounds ?? powersOfTwo(longest)).filter((bound) => bound > 1 && bound < longest), longest];
  return edges.slice(0, -1).flatMap((from, index): PositionBucket[] => {
    const to = edges[index + 1] ?? from;
    const ofWindows = windows.map((window) => sumOf(losses, Math.min(window.from + from - 1, window.to), Math.min(window.from + to - 1, window.to)));
    const sum = addLosses(ofWindows);
    return sum.tokenCount === 0 ? [] : [{ from, to, losses: sum }];
  });
}

function powersOfTwo(below: number): number[] {
  const powers: number[] = [];
  for (let power = 2; power < below; power *= 2) powers.push(power);
  return powers;
}
