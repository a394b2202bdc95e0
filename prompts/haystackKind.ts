/**
 * What a haystack kind has to bring; prompts/haystack.ts registers them.
 */
import type { Plain } from '../domain/identity.js';
import type { HaystackSpec } from '../domain/spec.js';
import type { ResolvedHaystack } from '../domain/task.js';
import type { IdRange } from './idRange.js';
import type { HaystackStream } from './stream.js';
import type { PromptTokenizer } from './tokenizer.js';

export type HaystackKindName = HaystackSpec['kind'];
/** Absolute path of what a spec names, by the path as written there. */
export type ResolvePath = (written: string) => Promise<string>;

export interface HaystackKind<K extends HaystackKindName> {
  /** Raised when the same description gives other tokens; part of the digest. */
  readonly version: number;
  /** @throws RopesweepError SPEC_INVALID with every place of the file that is wrong. */
  resolve(spec: Extract<HaystackSpec, { kind: K }>, resolvePath: ResolvePath): Promise<Extract<ResolvedHaystack, { kind: K }>>;
  /** All that decides the text or the ids for a seed: contents, never paths. */
  identity(haystack: Extract<ResolvedHaystack, { kind: K }>): Plain;
  /** @throws RopesweepError DOCUMENT_MISMATCH if a file is not the one that was resolved. */
  open(haystack: Extract<ResolvedHaystack, { kind: K }>, tokenizer: PromptTokenizer | null): Promise<(seed: number) => HaystackStream>;
  /** Every token id the stream can yield; empty where it is text. */
  idRanges(haystack: Extract<ResolvedHaystack, { kind: K }>): readonly IdRange[];
}
