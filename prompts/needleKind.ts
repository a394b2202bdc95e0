/**
 * What a needle kind has to bring; prompts/needle.ts registers them.
 */
import type { NeedleSpec } from '../domain/spec.js';
import type { IdRange } from './idRange.js';

export type NeedleKindName = NeedleSpec['kind'];

/** Token ids of one seed's needle, of the question about it, and of the answer that follows the question. */
export interface NeedleParts {
  readonly needleIds: readonly number[];
  readonly questionIds: readonly number[];
  readonly answerIds: readonly number[];
}

/** Lengths in tokens of the parts: the same for every seed. */
export interface NeedleSizes {
  readonly needleTokens: number;
  readonly questionTokens: number;
  readonly answerTokens: number;
}

export interface NeedleKind<K extends NeedleKindName> {
  /** Raised when the same description gives other tokens; part of the digest. */
  readonly version: number;
  draw(spec: Extract<NeedleSpec, { kind: K }>, seed: number): NeedleParts;
  sizes(spec: Extract<NeedleSpec, { kind: K }>): NeedleSizes;
  /** Every token id the needle and its question can hold, by part. */
  idRanges(spec: Extract<NeedleSpec, { kind: K }>): readonly IdRange[];
  /** What is wrong within the description itself, by field. */
  problems(spec: Extract<NeedleSpec, { kind: K }>): readonly { readonly field: string; readonly what: string }[];
}
