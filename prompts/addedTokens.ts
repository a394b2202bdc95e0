/**
 * Added tokens of a tokenizer, found in a text before the model sees it: the leftmost, of those the longest.
 *
 * A single-word token counts only where no word character touches it; lstrip and rstrip tokens swallow white space
 * beside them. Source of the rules: Hugging Face tokenizers, added_vocabulary.rs. (The JavaScript library that does the
 * rest ignores single_word, and cannot leave special tokens in a text unparsed.)
 */

/** As tokenizer.json writes it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Looked for in the normalised text, not in the text as it is. */
  readonly normalized: boolean;
}

/** A stretch of text, or the added token that stands there. */
export type Section = { readonly text: string } | { readonly token: AddedToken };

/** Splits a text at added tokens; empty stretches are left out. */
export type Splitter = (text: string) => Section[];

const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_AFTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
/** The code point that ends before, or starts at, an index: enough for the tests of a word character. */
const around = (text: string, start: number, end: number): string => text.slice(Math.max(0, start), end);

/** A splitter for tokens by the text that stands for them. */
export function addedTokenSplitter(tokens: ReadonlyMap<string, AddedToken>): Splitter {
  const contents = [...tokens.keys()].filter((content) => content !== '').sort((a, b) => b.length - a.length);
  if (contents.length === 0) return (text) => (text === '' ? [] : [{ text }]);
  const pattern = new RegExp(contents.map(escaped).join('|'), 'g');
  return (text) => {
    const sections: Section[] = [];
    let done = 0;
    for (const match of text.matchAll(pattern)) {
      const token = tokens.get(match[0]);
      if (token === undefined) continue;
      const start = match.index;
      const end = start + match[0].length;
      if (token.single_word && (WORD_BEFORE.test(around(text, start - 2, start)) || WORD_AFTER.test(around(text, end, end + 2)))) continue;
      const before = text.slice(done, start);
      const kept = token.lstrip ? before.trimEnd() : before;
      if (kept !== '') sections.push({ text: kept });
      sections.push({ token });
      done = token.rstrip ? text.length - text.slice(end).trimStart().length : end;
    }
    if (done < text.length) sections.push({ text: text.slice(done) });
    return sections;
  };
}
