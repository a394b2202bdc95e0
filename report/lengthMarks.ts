/**
 * Where the continual-pretrain length and L0 stand on an axis that has one column per tested context length.
 *
 * A length stands on the border right of the last column that is not longer than it: columns left of the mark are
 * inside the length, columns right of it beyond, whether or not the length itself was tested.
 */
import type { ArmRow } from '../domain/rows.js';

export type LengthKind = 'continualPretrain' | 'original';

export interface LengthMark {
  readonly kind: LengthKind;
  readonly tokens: number;
  /** Columns left of it: 0 = left edge of the map, contexts.length = right edge. */
  readonly border: number;
  /** Where the length lies outside the tested ones. */
  readonly outside: 'below' | 'above' | null;
}

function markAt(kind: LengthKind, tokens: number, contexts: readonly number[]): LengthMark {
  const border = contexts.filter((context) => context <= tokens).length;
  const longest = contexts.at(-1);
  const outside = border === 0 ? 'below' : longest !== undefined && tokens > longest ? 'above' : null;
  return { kind, tokens, border, outside };
}

/** L0 of the arm's base, and the length it was continued at if it was. `contexts` ascending. */
export function lengthMarks(arm: ArmRow, contexts: readonly number[]): LengthMark[] {
  const original = markAt('original', arm.originalContextTokens, contexts);
  const continued = arm.continualPretrainContextTokens;
  return continued === null ? [original] : [original, markAt('continualPretrain', continued, contexts)];
}
