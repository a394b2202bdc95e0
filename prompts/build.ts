/**
 * The prompt builder: pieces and haystack of a seed, laid out -> the tokens of one evaluation pass (prompts/layout.ts).
 * Tokens are spliced, never text: decoding and encoding again would move boundaries.
 */
import { answerOf, type PromptPieces } from './pieces.js';
import type { PromptLayout } from './layout.js';
import type { HaystackStream } from './stream.js';

/** Positions [start, end) of a prompt. */
export type Span = readonly [start: number, end: number];

export interface Prompt {
  /** [contextTokens] every input token: the last answer token is predicted, not fed. */
  readonly tokens: Int32Array;
  readonly answerIds: readonly number[];
  /** The values that the answer consists of, as text; null where tokens are no text. */
  readonly answers: readonly string[] | null;
  /** Positions whose logits must predict the answer, one a token of it: the last of the prompt. */
  readonly answerRows: Span;
  /** The needles that bear the answer, in the order asked: the first is the one at the cell's depth. No distractors. */
  readonly needleSpans: readonly Span[];
}

export function buildPrompt(pieces: PromptPieces, layout: PromptLayout, haystack: HaystackStream): Prompt {
  const tokens = new Int32Array(layout.contextTokens);
  const filler = haystack.prefix(layout.fillerTokens);
  const spans = new Map<number, Span>();
  let position = 0;
  const put = (ids: ArrayLike<number>): void => {
    tokens.set(ids, position);
    position += ids.length;
  };
  put(pieces.headIds);
  let fed = 0;
  for (const { index, before, tokens: length } of layout.needles) {
    put(filler.subarray(fed, before));
    fed = before;
    spans.set(index, [position, position + length]);
    put(pieces.needles[index]?.ids ?? []);
  }
  put(filler.subarray(fed));
  put(pieces.questionIds);

  const asked = pieces.needles.flatMap(({ answer }, index) => (answer === null ? [] : [index]));
  const read = layout.needles.map(({ index }) => index).filter((index) => asked.includes(index));
  const answer = answerOf(pieces, pieces.order === 'reading' ? read : asked);
  put(answer.ids.slice(0, -1));
  return {
    tokens,
    answerIds: answer.ids.slice(answer.givenTokens),
    answers: answer.texts,
    answerRows: [layout.contextTokens - answer.ids.length + answer.givenTokens, layout.contextTokens],
    needleSpans: asked.flatMap((index) => [spans.get(index) ?? []].filter((span): span is Span => span.length === 2)),
  };
}
