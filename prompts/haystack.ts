/**
 * Haystacks by kind: a total registry, so that the compiler names what a new kind still lacks.
 */
import { digest } from '../domain/identity.js';
import type { HaystackSpec } from '../domain/spec.js';
import type { ResolvedHaystack } from '../domain/task.js';
import type { HaystackKind, HaystackKindName, ResolvePath } from './haystackKind.js';
import type { IdRange } from './idRange.js';
import { markov } from './markov.js';
import { noise } from './noise.js';
import type { HaystackStream } from './stream.js';
import { text } from './text.js';
import type { PromptTokenizer } from './tokenizer.js';

const HAYSTACKS: { readonly [K in HaystackKindName]: HaystackKind<K> } = { markov, noise, text };

/** The kind of a haystack, its spec and its resolved form correlated by K. */
const kindOf = <K extends HaystackKindName>(name: K): HaystackKind<K> => HAYSTACKS[name];

/** Whether a haystack is text, so that it takes a tokenizer. */
export const isTextHaystack = ({ kind }: { readonly kind: HaystackKindName }): boolean => kind !== 'markov';

/** Reads and checks what the spec's haystack names: nothing is left to look up but text files, which a slot reads again. */
export function resolveHaystack(spec: HaystackSpec, resolvePath: ResolvePath): Promise<ResolvedHaystack> {
  return kindOf<HaystackKindName>(spec.kind).resolve(spec, resolvePath);
}

/**
 * The endless streams of a haystack, by seed.
 *
 * @param tokenizer null is enough for a haystack of token ids
 * @throws RopesweepError DOCUMENT_MISMATCH if a file is not the one that was resolved
 */
export function openHaystack(haystack: ResolvedHaystack, tokenizer: PromptTokenizer | null): Promise<(seed: number) => HaystackStream> {
  return kindOf<HaystackKindName>(haystack.kind).open(haystack, tokenizer);
}

/** Every token id the haystack can put into a prompt; empty where it is text. */
export function haystackIdRanges(haystack: ResolvedHaystack): readonly IdRange[] {
  return kindOf<HaystackKindName>(haystack.kind).idRanges(haystack);
}

/** Identity of what the haystack yields for every seed: contents and generator version, not the path of a file. */
export function haystackDigest(haystack: ResolvedHaystack): string {
  const kind = kindOf<HaystackKindName>(haystack.kind);
  return digest({ version: kind.version, haystack: kind.identity(haystack) });
}
