/**
 * The prompt builder: haystack, needle, template, context length and depth -> the tokens of one evaluation pass.
 *
 *     head | haystack[0 .. k) | needle | haystack[k .. filler) | question | answer but its last token
 *
 *     filler = contextTokens - tokens of everything else,  k = round(depth x filler), halves up,  needleStart = head + k
 */
import { RopesweepError } from '../domain/errors.js';
import type { NeedleSpec, TemplateSpec } from '../domain/spec.js';
import { needleSizes } from './needle.js';
import type { NeedleParts, NeedleSizes } from './needleKind.js';
import type { HaystackStream } from './stream.js';

/** Positions [start, end) of a prompt. */
export type Span = readonly [start: number, end: number];

export interface Prompt {
  /** [contextTokens] every input token: the last answer token is predicted, not fed. */
  readonly tokens: Int32Array;
  readonly answerIds: readonly number[];
  /** Positions whose logits must predict the answer, one a token of it: the last of the prompt. */
  readonly answerRows: Span;
  readonly needleSpan: Span;
}

export interface PromptParts {
  readonly haystack: HaystackStream;
  readonly needle: NeedleParts;
  readonly template: TemplateSpec;
  readonly contextTokens: number;
  /** Fraction 0..1. */
  readonly depth: number;
}

/** What of a task decides the shape of its prompts. */
export interface PromptLayout {
  readonly needle: NeedleSpec;
  readonly template: TemplateSpec;
}

/** Haystack tokens before the needle: round(depth x filler), halves up. */
export const tokensBeforeNeedle = (depth: number, fillerTokens: number): number => Math.round(depth * fillerTokens);

/** Tokens of a prompt that are not haystack. */
export function fixedTokens(headTokens: number, sizes: NeedleSizes): number {
  return headTokens + sizes.needleTokens + sizes.questionTokens + sizes.answerTokens - 1;
}

/** The shortest context that holds the prompt with one token of haystack, so that depth 0 and depth 1 differ. */
export function minimumContextTokens(layout: PromptLayout): number {
  return fixedTokens(layout.template.headIds.length, needleSizes(layout.needle)) + 1;
}

/**
 * Builds one prompt.
 *
 * @throws RopesweepError PROMPT_IMPOSSIBLE if contextTokens leaves no token of haystack.
 */
export function buildPrompt({ haystack, needle, template, contextTokens, depth }: PromptParts): Prompt {
  const { needleIds, questionIds, answerIds } = needle;
  const fixed = fixedTokens(template.headIds.length, {
    needleTokens: needleIds.length,
    questionTokens: questionIds.length,
    answerTokens: answerIds.length,
  });
  const fillerTokens = contextTokens - fixed;
  if (fillerTokens < 1) {
    throw new RopesweepError('PROMPT_IMPOSSIBLE', {
      where: `contextTokens ${contextTokens}`,
      what: `the prompt takes ${fixed} tokens without its haystack`,
      mend: `Use at least ${fixed + 1}.`,
    });
  }
  const before = tokensBeforeNeedle(depth, fillerTokens);
  const filler = haystack.prefix(fillerTokens);
  const tokens = new Int32Array(contextTokens);
  let position = 0;
  for (const part of [
    template.headIds,
    filler.subarray(0, before),
    needleIds,
    filler.subarray(before),
    questionIds,
    answerIds.slice(0, -1),
  ]) {
    tokens.set(part, position);
    position += part.length;
  }
  const needleStart = template.headIds.length + before;
  return {
    tokens,
    answerIds,
    answerRows: [contextTokens - answerIds.length, contextTokens],
    needleSpan: [needleStart, needleStart + needleIds.length],
  };
}
