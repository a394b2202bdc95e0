/**
 * A cell's numbers, as a slot reports them and the store keeps them. Entropies and NLL in nats.
 */
import type { ErrorCode } from './errors.js';
import type { CellKey } from './ids.js';
import type { OutcomeState } from './states.js';
import type { KeyAxis } from './taskSpec.js';

/** Probes stored per (layer, head), mean over the answer rows; the order of `NeedleNumbers.heads`. */
export const HEAD_PROBES = ['entropy', 'maxProbability', 'sinkMass', 'sinkMass4', 'localMass', 'needleMass', 'retrieval'] as const;
export type HeadProbe = (typeof HEAD_PROBES)[number];

export interface NeedleNumbers {
  /** Every answer row's top-1 id equals the answer: what greedy decoding would print. */
  readonly exactMatch: boolean;
  /** Share of answer rows whose top-1 id equals the answer, teacher-forced; 0..1. */
  readonly tokenRecall: number;
  /** Share of the answers that stand in the generated text; null where no text was generated. */
  readonly stringRecall: number | null;
  /** What longer greedy decoding printed; null where it was not asked for. */
  readonly generatedText: string | null;
  /** The answers that are looked for in the generated text; null where tokens are no text, and in rows of before they were kept. */
  readonly answers: readonly string[] | null;
  readonly answerIds: readonly number[];
  /** [answer rows] argmax under teacher forcing. */
  readonly top1Ids: readonly number[];
  /** What greedy decoding generates: the answer on a passing cell, completed greedily on a failing one. */
  readonly generatedIds: readonly number[] | null;
  /** [answer rows] -ln p(answer token), teacher-forced. */
  readonly nll: readonly number[];
  readonly sumNll: number;
  readonly tokenCount: number;
  /** [answer rows] best logit minus the second best, teacher-forced. */
  readonly margins: readonly number[];
  /** Mean over layers and heads of H at the first answer row: the same under any decoding. */
  readonly entropyFirst: number;
  /** Algorithm 1: mean over layers, heads and the rows of the tokens the model generated; null where not generated. */
  readonly entropy: number | null;
  /** Mean over layers, heads and teacher-forced answer rows. */
  readonly entropyTeacherForced: number;
  /** Mean over teacher-forced rows of H of the distribution averaged over layers and heads: never below the mean of H. */
  readonly entropyOfMean: number;
  /** Mean over layers, heads, teacher-forced rows of H / ln n; n = visible keys. */
  readonly entropyNormalized: number;
  readonly maxProbability: number;
  /** Mass on key 0. */
  readonly sinkMass: number;
  /** Mass on keys 0 to 3. */
  readonly sinkMass4: number;
  /** Mass on the last w keys, the row's own among them. */
  readonly localMass: number;
  /** w of localMass. */
  readonly localTokens: number;
  /** Mass on the needle spans. */
  readonly needleMass: number;
  /** needleMass over what uniform attention would put there. */
  readonly needleLift: number;
  /**
   * Share of layers, heads and answer rows whose most attended key lies in the needle and holds the token that the row
   * predicts (Wu et al. 2024, retrieval heads).
   */
  readonly retrievalScore: number;
  /** Float32, little-endian, [HEAD_PROBES][layers][heads], base64; null with probes: summary. */
  readonly heads: string | null;
  readonly layers: number;
  readonly headCount: number;
  /** Realised position of the (first) needle in the prompt. */
  readonly needleStart: number;
  /** Tokens of all needle spans. */
  readonly needleTokens: number;
  /** SHA-256 over the prompt's token ids. */
  readonly tokenDigest: string;
}

/** Losses of one document, window by window. Every convention is derived from them (domain/perplexity.ts). */
export interface PerplexityNumbers {
  /**
   * -ln p(token t+1 given tokens 0..t of its window) in nats, float32, of every window in turn: windowTokens - 1 each.
   * Of the last window fewer where the document ends.
   */
  readonly nll: readonly number[];
  /** UTF-8 bytes that each predicted token stands for, like nll; null where tokens are no text. */
  readonly tokenBytes: readonly number[] | null;
  /** Tokens fed in each window but the last, which may be shorter. */
  readonly windowTokens: number;
  /** Start of each window in tokens of the document. */
  readonly windowStarts: readonly number[];
  /** Sum and count over the tokens that the windows' convention counts. */
  readonly sumNll: number;
  readonly tokenCount: number;
  /** UTF-8 bytes of the counted tokens; null where tokens are no text. */
  readonly byteCount: number | null;
  readonly tokenDigest: string;
}

/** Mean attention over documents and their last rows. */
export interface AttentionNumbers {
  readonly layers: number;
  readonly headCount: number;
  readonly documents: number;
  /** Query rows of each document. */
  readonly rows: number;
  readonly distributions: readonly AttentionDistribution[];
  /** Mean over documents, rows, layers and heads of H in nats. */
  readonly entropy: number;
  /** Mean of H / ln n. */
  readonly entropyNormalized: number;
  readonly sinkMass: number;
  readonly tokenDigest: string;
}

export interface AttentionDistribution {
  readonly axis: KeyAxis;
  readonly bins: number;
  /** [bins] mean over layers and heads; sums to 1. */
  readonly mean: readonly number[];
  /** Float32, little-endian, [layers][heads][bins], base64; null with probes: summary. */
  readonly heads: string | null;
}

/** The numbers of a measured cell, by task. */
export type Measured =
  | { readonly needle: NeedleNumbers }
  | { readonly perplexity: PerplexityNumbers }
  | { readonly attention: AttentionNumbers };

/** What a slot says of one cell. */
export type CellResult =
  | ({ readonly key: CellKey; readonly state: 'measured'; readonly seconds: number } & Measured)
  | { readonly key: CellKey; readonly state: 'diverged'; readonly seconds: number; readonly tokenDigest: string }
  | { readonly key: CellKey; readonly state: OutcomeState; readonly code: ErrorCode; readonly reason: string };

/** What a slot measured of a whole shard. */
export interface ShardStats {
  /** Input tokens of the prompts it evaluated. */
  readonly promptTokens: number;
  /** Distinct prefix tokens among them. */
  readonly distinctTokens: number;
  /** Prompt tokens fed to the model, re-fed ones included. */
  readonly computedTokens: number;
  /** Tokens fed while decoding greedily. */
  readonly completionTokens: number;
  readonly loadSeconds: number;
  readonly runSeconds: number;
}
