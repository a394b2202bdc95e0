/**
 * What a decoder is asked when it is fed, and what it answers.
 */
import { RopesweepError } from '../domain/errors.js';
import { FEWEST_ROWS } from './chunks.js';

export interface FeedOptions {
  /** Rows of the output projection: the last tokens fed. */
  readonly logitRows?: number;
  /** [logitRows] the token each of these rows should predict. */
  readonly targets?: ArrayLike<number>;
  /** Whether the rows carry their logits. */
  readonly keepLogits?: boolean;
  /** Rows whose attention is probed: the last tokens fed. */
  readonly probeRows?: number;
  /** [start, end) of the keys that `spanMass` sums over, in positions of the sequence; they do not overlap. */
  readonly spans?: readonly (readonly [start: number, end: number])[];
  /** Keys that `localMass` sums over: the last w of a row, its own among them; 1 if absent. */
  readonly localTokens?: number;
  /** Edges of the bins of `massBelow`, the same number for every probed row. Takes a decoder with distributions. */
  readonly edges?: readonly (readonly number[])[];
  /** Tokens a chunk at most, at least 2; the engine's choice if absent. */
  readonly chunkTokens?: number;
}

export interface AnswerRow {
  /** [vocabularySize], with `keepLogits`. */
  readonly logits?: Float32Array;
  /** The most likely next token; the lowest id on a tie. */
  readonly top1: number;
  /** -ln p(target) in nats; NaN without a target. */
  readonly nll: number;
  /** Best logit minus the second best. */
  readonly margin: number;
}

/** Each [layers][heads][probeRows], flat. */
export interface AttentionProbes {
  readonly rows: number;
  /** Nats. */
  readonly entropy: Float32Array;
  readonly maxProbability: Float32Array;
  /** Position of the largest probability; the first on a tie. */
  readonly maxPosition: Int32Array;
  /** Mass on key 0. */
  readonly sinkMass: Float32Array;
  /** Mass on keys 0 to 3. */
  readonly sinkMass4: Float32Array;
  readonly localMass: Float32Array;
  readonly spanMass: Float32Array;
  /** [probeRows] entropy of the distribution averaged over layers and heads, nats. */
  readonly entropyOfMean: Float32Array;
}

export interface FeedResult {
  readonly rows: readonly AnswerRow[];
  readonly probes: AttentionProbes;
  /** [layers][heads][edges] mean over the probed rows of the attention mass on keys below each edge; with `edges`. */
  readonly massBelow: Float64Array;
  /** False if a row or probe is infinite or not a number: the cell has diverged. */
  readonly finite: boolean;
}

/** A feed with all that may be left out. */
export type FeedRequest = Required<Omit<FeedOptions, 'chunkTokens'>>;

export interface FeedLimits {
  /** Tokens that the sequence holds before the feed, and that it can hold. */
  readonly length: number;
  readonly capacityTokens: number;
  readonly vocabularySize: number;
  readonly distributions: boolean;
}

/** @throws RopesweepError INTERNAL for tokens, rows or spans that cannot be */
export function checkFeed(tokens: ArrayLike<number>, options: FeedOptions, limits: FeedLimits): FeedRequest {
  const { logitRows = 0, probeRows = 0, targets = [], keepLogits = false, spans = [], localTokens = 1, edges = [], chunkTokens } = options;
  const { length, capacityTokens, vocabularySize, distributions } = limits;
  const end = length + tokens.length;
  if (tokens.length === 0) throw feedError('a feed needs at least one token');
  if (end > capacityTokens) throw feedError(`${end} tokens do not fit a capacity of ${capacityTokens}`);
  for (const rows of [logitRows, probeRows]) {
    if (!Number.isInteger(rows) || rows < 0 || rows > tokens.length) throw feedError(`${rows} rows of ${tokens.length} tokens`);
  }
  if (targets.length !== 0 && targets.length !== logitRows) throw feedError(`${targets.length} targets for ${logitRows} rows`);
  if (chunkTokens !== undefined && chunkTokens < FEWEST_ROWS) throw feedError('a chunk needs at least two tokens');
  for (const span of spans) if (span[0] < 0 || span[1] < span[0] || span[1] > end) throw feedError(`the span ${span.join(':')} lies outside ${end} tokens`);
  for (const ids of [tokens, targets]) {
    for (let index = 0; index < ids.length; index += 1) {
      const token = ids[index] ?? -1;
      if (!Number.isInteger(token) || token < 0 || token >= vocabularySize) throw feedError(`${token} is not one of ${vocabularySize} token ids`);
    }
  }
  if (edges.length !== 0 && (!distributions || edges.length !== probeRows || probeRows < FEWEST_ROWS)) throw feedError(`edges for ${edges.length} of ${probeRows} rows`);
  return { logitRows, probeRows, targets, keepLogits, spans, localTokens, edges };
}

export const feedError = (what: string): RopesweepError => new RopesweepError('INTERNAL', { where: 'decoder', what });
