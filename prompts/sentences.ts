/**
 * Cuts running text into sentences with the white space before each: joined again, they are the text.
 *
 * A sentence ends at . ! ? or … with its closing quotes and brackets before white space, at the full stops of Chinese
 * and Japanese, before an empty line, and at the end. The rule is written out and not left to Intl.Segmenter, whose
 * rules change with the version of Node, and haystacks with them.
 */

/** Longer stretches without an end (tables, code) are cut at a space, so that no piece is costly to tokenise. */
const LONGEST = 2000;

const SENTENCE = /\s*\S[^]*?(?:[.!?…]["'”’»)\]]*(?=\s|$)|[。！？][”’」』）]*|(?=\n[ \t]*\n)|$)/gu;

export function sentencesOf(text: string): string[] {
  const sentences = text.match(SENTENCE) ?? [];
  return sentences.flatMap((sentence) => (sentence.length > LONGEST ? cut(sentence) : [sentence]));
}

function cut(stretch: string): string[] {
  const pieces: string[] = [];
  let rest = stretch;
  while (rest.length > LONGEST) {
    const space = rest.slice(1, LONGEST).search(/\s\S*$/u);
    // Without any space, between two code points.
    const half = /[\uD800-\uDBFF]/.test(rest.charAt(LONGEST - 1)) ? LONGEST - 1 : LONGEST;
    const end = space > 0 ? space + 1 : half;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...pieces, rest];
}
