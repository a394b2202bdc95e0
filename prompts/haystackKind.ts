/**
 * What a haystack kind has to bring; prompts/haystack.ts registers them.
 */
import type { HaystackSpec } from '../domain/spec.js';
import type { ResolvedHaystack } from '../domain/task.js';
import type { IdRange } from './idRange.js';
import type { HaystackStream } from './stream.js';

export type HaystackKindName = HaystackSpec['kind'];
/** Reads a file that a spec names, by the path as written there. */
export type ReadFile = (path: string) => Promise<string>;

export interface HaystackKind<K extends HaystackKindName> {
  /** Raised when the same description gives other tokens; part of the digest. */
  readonly version: number;
  /** @throws RopesweepError SPEC_INVALID with every place of the file that is wrong. */
  resolve(spec: Extract<HaystackSpec, { kind: K }>, readFile: ReadFile): Promise<Extract<ResolvedHaystack, { kind: K }>>;
  open(haystack: Extract<ResolvedHaystack, { kind: K }>, seed: number): HaystackStream;
  /** Every token id the stream can yield. */
  idRanges(haystack: Extract<ResolvedHaystack, { kind: K }>): readonly IdRange[];
}
