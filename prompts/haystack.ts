/**
 * Haystacks by kind: a total registry, so that the compiler names what a new kind still lacks.
 */
import { digest } from '../domain/identity.js';
import type { HaystackSpec } from '../domain/spec.js';
import type { ResolvedHaystack } from '../domain/task.js';
import type { HaystackKind, HaystackKindName, ReadFile } from './haystackKind.js';
import type { IdRange } from './idRange.js';
import { markov } from './markov.js';
import type { HaystackStream } from './stream.js';

const HAYSTACKS: { readonly [K in HaystackKindName]: HaystackKind<K> } = { markov };

/** Reads and checks what the spec's haystack names: nothing is left to look up. */
export function resolveHaystack(spec: HaystackSpec, readFile: ReadFile): Promise<ResolvedHaystack> {
  return HAYSTACKS[spec.kind].resolve(spec, readFile);
}

/** The endless stream of one seed. */
export function openHaystack(haystack: ResolvedHaystack, seed: number): HaystackStream {
  return HAYSTACKS[haystack.kind].open(haystack, seed);
}

/** Every token id the haystack can put into a prompt. */
export function haystackIdRanges(haystack: ResolvedHaystack): readonly IdRange[] {
  return HAYSTACKS[haystack.kind].idRanges(haystack);
}

/** Identity of what the haystack yields for every seed: contents and generator version, not the path of a file. */
export function haystackDigest(haystack: ResolvedHaystack): string {
  return digest({ version: HAYSTACKS[haystack.kind].version, haystack: { ...haystack } });
}
