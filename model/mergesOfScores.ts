/**
 * The merges of a SentencePiece BPE model, which keeps only pieces with scores: the piece of the i-th merge has score -i.
 * Every split of a piece into two pieces is a merge; better scores come first, and of one score the longer left part.
 * Kudo and Richardson 2018, "SentencePiece"; Hugging Face's conversion makes the same list.
 */

export interface Piece {
  readonly text: string;
  readonly score: number;
}

/** Longer ones are no words; splitting costs the square of the length. */
const LONGEST_PIECE = 128;

export function mergesOfScores(pieces: readonly Piece[]): [string, string][] {
  const known = new Set(pieces.map(({ text }) => text));
  const merges = pieces.flatMap(({ text, score }) =>
    Array.from({ length: text.length > LONGEST_PIECE ? 0 : Math.max(0, text.length - 1) }, (_, index) => ({ left: text.slice(0, index + 1), right: text.slice(index + 1), score })).filter(
      ({ left, right }) => known.has(left) && known.has(right),
    ),
  );
  merges.sort((a, b) => b.score - a.score || b.left.length - a.left.length || b.right.length - a.right.length);
  return merges.map(({ left, right }) => [left, right]);
}
