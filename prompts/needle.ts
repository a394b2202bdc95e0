/**
 * Needles by kind: a total registry, so that the compiler names what a new kind still lacks.
 */
import { digest } from '../domain/identity.js';
import type { NeedleSpec } from '../domain/spec.js';
import type { IdRange } from './idRange.js';
import type { NeedleKind, NeedleKindName, NeedleParts, NeedleSizes } from './needleKind.js';
import { symbols } from './symbols.js';

const NEEDLES: { readonly [K in NeedleKindName]: NeedleKind<K> } = { symbols };

/** Needle, question and answer of one seed; drawn from a stream of their own. */
export function drawNeedle(spec: NeedleSpec, seed: number): NeedleParts {
  return NEEDLES[spec.kind].draw(spec, seed);
}

export function needleSizes(spec: NeedleSpec): NeedleSizes {
  return NEEDLES[spec.kind].sizes(spec);
}

export function needleIdRanges(spec: NeedleSpec): readonly IdRange[] {
  return NEEDLES[spec.kind].idRanges(spec);
}

export function needleProblems(spec: NeedleSpec): readonly { readonly field: string; readonly what: string }[] {
  return NEEDLES[spec.kind].problems(spec);
}

/** Identity of what is drawn for every seed. */
export function needleDigest(spec: NeedleSpec): string {
  return digest({ version: NEEDLES[spec.kind].version, needle: spec });
}
