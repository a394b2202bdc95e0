/**
 * Tasks as the plan and the slots see them: files read, digests known, nothing left to look up.
 */
import type { NeedleSpec, TemplateSpec } from './promptSpec.js';
import type { AttentionReferenceSpec, Criterion, KeyAxis, TaskSpecOf } from './taskSpec.js';

export const TASK_KINDS = ['needle', 'perplexity', 'attention'] as const;
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

/** Sentences drawn uniformly, one after the other. */
export interface NoiseHaystack {
  readonly kind: 'noise';
  readonly sentences: readonly string[];
}

/** Running text of files that a slot reads where they lie; their digests are checked there. */
export interface TextHaystack {
  readonly kind: 'text';
  readonly files: readonly { readonly path: string; /** SHA-256 of the bytes. */ readonly digest: string }[];
}
export type ResolvedHaystack = MarkovHaystack | NoiseHaystack | TextHaystack;

export interface ResolvedNeedleTask {
  readonly kind: 'needle';
  readonly haystack: ResolvedHaystack;
  readonly haystackDigest: string;
  readonly needle: NeedleSpec;
  readonly needleDigest: string;
  readonly template: TemplateSpec;
  readonly templateDigest: string;
  /** Digest of the tokenizer of the base checkpoint. */
  readonly tokenizerDigest: string;
  readonly snap: 'token' | 'sentence';
  readonly criterion: Criterion;
  readonly generateTokens: number;
  readonly localTokens: number;
  readonly probes: 'heads' | 'summary';
}

/** In which form a file holds documents: one text, or a column of rows. */
export const DOCUMENT_FORMATS = ['txt', 'jsonl', 'parquet'] as const;
export type DocumentFormat = (typeof DOCUMENT_FORMATS)[number];

/** Where a document is read again; paths are absolute, links followed. */
export type DocumentSource =
  /** A whole file, or one of its rows; counted from 0. */
  | { readonly kind: 'row'; readonly file: string; readonly format: DocumentFormat; readonly field: string; readonly row: number | null }
  /** Characters (UTF-16 code units) [start, end) of all texts of a file or folder, joined. */
  | { readonly kind: 'joined'; readonly path: string; readonly field: string; readonly start: number; readonly end: number }
  | { readonly kind: 'haystack'; readonly haystack: ResolvedHaystack; readonly seed: number }
  /** Of a provisional plan: nothing was read, nothing can be. */
  | { readonly kind: 'absent' };

/**
 * A document as the plan names it; a slot reads it again where it lies and checks its digest.
 * Its id is a digest of the text (or of what draws it), the ids before it and the tokenizer.
 */
export interface ResolvedDocument {
  readonly id: string;
  /** For people: file name and row, or seed. */
  readonly name: string;
  /** Tokens it has, headIds included; null for one without end, drawn from a haystack. */
  readonly tokens: number | null;
  readonly source: DocumentSource;
  /** Ids that stand before it (BOS), [] for none. */
  readonly headIds: readonly number[];
  /** SHA-256 of its text as UTF-8; null where it is no text. */
  readonly textDigest: string | null;
}

export interface ResolvedPerplexityTask {
  readonly kind: 'perplexity';
  readonly documents: readonly ResolvedDocument[];
  readonly tokenizerDigest: string;
  readonly windows: TaskSpecOf<'perplexity'>['windows'];
  readonly lastTokens: number;
  /** Ascending bounds of position buckets; null = powers of two. */
  readonly buckets: readonly number[] | null;
  /** Context lengths that are shown: shorter ones are derived from the longest. */
  readonly contextTokens: readonly number[];
}

export interface ResolvedAttentionTask {
  readonly kind: 'attention';
  readonly documents: readonly ResolvedDocument[];
  readonly documentsDigest: string;
  readonly tokenizerDigest: string;
  readonly rows: number;
  readonly axes: readonly KeyAxis[];
  readonly references: readonly AttentionReferenceSpec[];
  readonly probes: 'heads' | 'summary';
}

export type ResolvedTask = ResolvedNeedleTask | ResolvedPerplexityTask | ResolvedAttentionTask;
export type ResolvedTaskOf<K extends TaskKind> = Extract<ResolvedTask, { kind: K }>;

/** The axes a needle task adds to arm and context length. */
export interface NeedleAxes {
  /** Fraction 0..1. */
  readonly depth: number;
  readonly seed: number;
}
export interface PerplexityAxes {
  /** Id of the document. */
  readonly document: string;
}
/** An attention cell is the mean over all documents: arm and context length say it all. */
export type AttentionAxes = Readonly<Record<string, never>>;

export interface AxesOf {
  readonly needle: NeedleAxes;
  readonly perplexity: PerplexityAxes;
  readonly attention: AttentionAxes;
}
export type TaskAxes = AxesOf[TaskKind];

/** `{taskKind, axes}` that belong together, whatever else a type has. */
export type OfTask<Common> = { [K in TaskKind]: Common & { readonly taskKind: K; readonly axes: AxesOf[K] } }[TaskKind];
