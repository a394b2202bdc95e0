/**
 * Tasks as the plan and the slots see them: files read, digests known, nothing left to look up.
 */
import type { NeedleSpec, TemplateSpec } from './spec.js';

export const TASK_KINDS = ['needle'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** Raised when a scorer or a probe gives other numbers for the same logits and attention. */
export const SCORER_VERSION = 1;

/** A first-order Markov chain over token ids; symbols are counted from 0 and stand for firstFillerId + symbol. */
export interface MarkovHaystack {
  readonly kind: 'markov';
  readonly firstFillerId: number;
  /** [symbol][rank] -> symbol */
  readonly successors: readonly (readonly number[])[];
  readonly jumpProbability: number;
  readonly rankScale: number;
}
export type ResolvedHaystack = MarkovHaystack;

export interface ResolvedNeedleTask {
  readonly kind: 'needle';
  readonly haystack: ResolvedHaystack;
  readonly haystackDigest: string;
  readonly needle: NeedleSpec;
  readonly needleDigest: string;
  readonly template: TemplateSpec;
  readonly templateDigest: string;
  /** SHA-256 of tokenizer.json of the base checkpoint. */
  readonly tokenizerDigest: string;
  readonly probes: 'heads' | 'summary';
}
export type ResolvedTask = ResolvedNeedleTask;
