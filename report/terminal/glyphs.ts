/** Characters of the terminal heat map, with an ASCII set for terminals that have no other. */
import type { LengthMark } from '../lengthMarks.js';

export interface Glyphs {
  /** Recall 0, below a third, up to two thirds, above, 1. */
  readonly recall: readonly [string, string, string, string, string];
  readonly continualPretrain: string;
  readonly original: string;
  /** Both lengths on one border. */
  readonly both: string;
  readonly below: string;
  readonly above: string;
  readonly planned: string;
  readonly atLeast: string;
}

const UNICODE: Glyphs = {
  recall: ['○', '◔', '◑', '◕', '●'],
  continualPretrain: '╏',
  original: '┊',
  both: '║',
  below: '‹',
  above: '›',
  planned: '·',
  atLeast: '≥',
};

const ASCII: Glyphs = {
  recall: ['-', '.', '=', '+', '#'],
  continualPretrain: '|',
  original: ':',
  both: '!',
  below: '<',
  above: '>',
  planned: '.',
  atLeast: '>=',
};

export const glyphsFor = (ascii: boolean): Glyphs => (ascii ? ASCII : UNICODE);

/** The symbol of a recall; the ends are exact: full only at 1, empty only at 0. */
export function recallSymbol(recall: number, { recall: symbols }: Glyphs): string {
  if (recall === 0) return symbols[0];
  if (recall === 1) return symbols[4];
  if (recall < 1 / 3) return symbols[1];
  return recall <= 2 / 3 ? symbols[2] : symbols[3];
}

/** The line at a border; null where no mark stands there. */
export function borderGlyph(marks: readonly LengthMark[], border: number, glyphs: Glyphs): string | null {
  const here = marks.filter((mark) => mark.border === border);
  const [first] = here;
  if (first === undefined) return null;
  return here.length > 1 ? glyphs.both : glyphs[first.kind];
}
