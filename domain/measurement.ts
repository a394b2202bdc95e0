/**
 * A cell's numbers, as a slot reports them and the store keeps them. Entropies and NLL in nats.
 */
import type { ErrorCode } from './errors.js';
import type { CellKey } from './ids.js';
import type { OutcomeState } from './states.js';

/** Probes stored per (layer, head), mean over the answer rows; the order of `NeedleNumbers.heads`. */
export const HEAD_PROBES = ['entropy', 'maxProbability', 'sinkMass', 'needleMass'] as const;
export type HeadProbe = (typeof HEAD_PROBES)[number];

export interface NeedleNumbers {
  /** Every answer row's top-1 id equals the answer: what greedy decoding would print. */
  readonly exactMatch: boolean;
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
  /** Mean over layers, heads, teacher-forced rows of H / ln n; n = visible keys. */
  readonly entropyNormalized: number;
  readonly maxProbability: number;
  /** Mass on key 0. */
  readonly sinkMass: number;
  /** Mass on the needle span. */
  readonly needleMass: number;
  /** needleMass over what uniform attention would put there. */
  readonly needleLift: number;
  /** Float32, little-endian, [HEAD_PROBES][layers][heads], base64; null with probes: summary. */
  readonly heads: string | null;
  readonly layers: number;
  readonly headCount: number;
  /** Realised position of the needle in the prompt. */
  readonly needleStart: number;
  readonly needleTokens: number;
  /** SHA-256 over the prompt's token ids. */
  readonly tokenDigest: string;
}

/** What a slot says of one cell. */
export type CellResult =
  | { readonly key: CellKey; readonly state: 'measured'; readonly seconds: number; readonly needle: NeedleNumbers }
  | { readonly key: CellKey; readonly state: 'diverged'; readonly seconds: number; readonly tokenDigest: string }
  | { readonly key: CellKey; readonly state: OutcomeState; readonly code: ErrorCode; readonly reason: string };

/** What a slot measured of a whole shard. */
export interface ShardStats {
  /** Input tokens of the prompts it evaluated. */
  readonly promptTokens: number;
  /** Distinct prefix tokens among them. */
  readonly distinctTokens: number;
  /** Tokens fed to the model, completions and re-fed tokens included. */
  readonly computedTokens: number;
  readonly loadSeconds: number;
  readonly runSeconds: number;
}
