/**
 * What a needle kind has to bring; prompts/needle.ts registers them.
 */
import type { NeedleSpec, NeedleSpecOf } from '../domain/promptSpec.js';
import type { IdRange } from './idRange.js';

export type NeedleKindName = NeedleSpec['kind'];

/** Token ids of one seed's needle, of the question about it, and of the answer that follows the question. */
export interface IdNeedle {
  readonly form: 'ids';
  readonly needleIds: readonly number[];
  readonly questionIds: readonly number[];
  readonly answerIds: readonly number[];
}

/** One seed's needles in words. */
export interface TextNeedle {
  readonly form: 'text';
  /** Those that are asked for, in the order asked, then the distractors; the first stands at the cell's depth. */
  readonly sentences: readonly NeedleSentence[];
  /** The kind's own question and answer prefix, {key} filled in. */
  readonly question: string;
  readonly answerPrefix: string;
  /** What is asked for, as it replaces {key} in a template's question. */
  readonly key: string;
  /** Whether the answer lists the values in the order asked, or as they are read in the haystack. */
  readonly order: 'asked' | 'reading';
}

export interface NeedleSentence {
  readonly text: string;
  /** The value that the answer has of it; null for a distractor. */
  readonly value: string | null;
}

export interface NeedleProblem {
  readonly field: string;
  readonly what: string;
  readonly mend: string;
}

export interface NeedleKind<K extends NeedleKindName> {
  /** Raised when the same description gives another needle; part of the digest. */
  readonly version: number;
  draw(spec: NeedleSpecOf<K>, seed: number): IdNeedle | TextNeedle;
  /** Every token id the needle and its question can hold, by part; empty where they are text. */
  idRanges(spec: NeedleSpecOf<K>): readonly IdRange[];
  /** What is wrong within the description itself. */
  problems(spec: NeedleSpecOf<K>): readonly NeedleProblem[];
}
