/**
 * Needles by kind: a total registry, so that the compiler names what a new kind still lacks.
 */
import { digest } from '../domain/identity.js';
import type { NeedleSpec } from '../domain/spec.js';
import type { IdRange } from './idRange.js';
import { multiKey, multiQuery, multiValue, single } from './keyedNeedle.js';
import type { IdNeedle, NeedleKind, NeedleKindName, NeedleProblem, TextNeedle } from './needleKind.js';
import { passkey } from './passkey.js';
import { symbols } from './symbols.js';

const NEEDLES: { readonly [K in NeedleKindName]: NeedleKind<K> } = { symbols, single, multiKey, multiValue, multiQuery, passkey };

/** The kind of a needle, correlated with its spec by K. */
const kindOf = <K extends NeedleKindName>(name: K): NeedleKind<K> => NEEDLES[name];

/** Whether a needle is text, so that it takes a tokenizer. */
export const isTextNeedle = ({ kind }: { readonly kind: NeedleKindName }): boolean => kind !== 'symbols';

/** Needles, question and answer of one seed; drawn from a stream of their own. */
export function drawNeedle(spec: NeedleSpec, seed: number): IdNeedle | TextNeedle {
  return kindOf<NeedleKindName>(spec.kind).draw(spec, seed);
}

/** Every token id the needle and its question can hold, by part; empty where they are text. */
export function needleIdRanges(spec: NeedleSpec): readonly IdRange[] {
  return kindOf<NeedleKindName>(spec.kind).idRanges(spec);
}

export function needleProblems(spec: NeedleSpec): readonly NeedleProblem[] {
  return kindOf<NeedleKindName>(spec.kind).problems(spec);
}

/** Identity of what is drawn for every seed. */
export function needleDigest(spec: NeedleSpec): string {
  return digest({ version: kindOf<NeedleKindName>(spec.kind).version, needle: spec });
}
