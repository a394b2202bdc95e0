/**
 * The tokens of one seed's prompts around its haystack: every text tokenised by itself, as it reads behind another one.
 */
import { RopesweepError } from '../domain/errors.js';
import type { NeedleSpec, TemplateSpec } from '../domain/promptSpec.js';
import { drawNeedle } from './needle.js';
import type { TextNeedle } from './needleKind.js';
import { askedText, isTextTemplate, openTemplate } from './template.js';
import type { OpenTemplate, TextTemplate } from './templateKind.js';
import { neededTokenizer, type PromptTokenizer } from './tokenizer.js';

export interface PromptPieces {
  readonly headIds: readonly number[];
  /** Those that are asked for, in the order asked, then the distractors. */
  readonly needles: readonly NeedlePiece[];
  /** Question, end of the message and head of the reply, answer prefix. */
  readonly questionIds: readonly number[];
  /** Between two values of the answer. */
  readonly separatorIds: readonly number[];
  readonly order: TextNeedle['order'];
}

export interface NeedlePiece {
  readonly ids: readonly number[];
  /** What the answer has of it; null for a distractor. */
  readonly answer: AnswerPiece | null;
}

interface AnswerPiece {
  readonly ids: readonly number[];
  /**
   * Tokens at the beginning that are white space alone. Before the first value they are asked with, not for: a model that
   * would write another space, or a word, knows the value no less.
   */
  readonly blankTokens: number;
  /** null where tokens are no text. */
  readonly text: string | null;
}

/**
 * The pieces of each seed; the template is tokenised once.
 *
 * @throws RopesweepError SPEC_INVALID where text lacks a tokenizer or chat template, or ids and text are mixed
 */
export function openPieces(needle: NeedleSpec, template: TemplateSpec, tokenizer: PromptTokenizer | null): (seed: number) => PromptPieces {
  let opened: OpenTemplate | undefined;
  return (seed) => {
    const drawn = drawNeedle(needle, seed);
    if (drawn.form === 'ids' && !isTextTemplate(template)) {
      const { needleIds, questionIds, answerIds } = drawn;
      return { headIds: template.headIds, needles: [{ ids: needleIds, answer: { ids: answerIds, blankTokens: 0, text: null } }], questionIds, separatorIds: [], order: 'asked' };
    }
    if (drawn.form === 'ids' || !isTextTemplate(template)) throw mixed(needle, template);
    const encoder = neededTokenizer(tokenizer, `the needle ${needle.kind}`);
    opened ??= openTemplate(template, encoder);
    return textPieces(drawn, template, opened, encoder);
  };
}

function textPieces(needle: TextNeedle, template: TextTemplate, { headIds, tailIds }: OpenTemplate, tokenizer: PromptTokenizer): PromptPieces {
  const within = (text: string): number[] => tokenizer.encodeWithin(text);
  const { question, answerPrefix } = askedText(template, needle);
  // Values follow words after a space; with nothing before them, or white space, they stand on lines of their own.
  const inline = /\S$/u.test(answerPrefix);
  const answer = (value: string): AnswerPiece => {
    const ids = within(inline ? ` ${value}` : value);
    const written = ids.findIndex((id) => tokenizer.decode([id], { skipSpecial: false }).trim() !== '');
    return { ids, blankTokens: Math.max(0, written), text: value };
  };
  return {
    headIds,
    needles: needle.sentences.map(({ text, value }) => ({ ids: within(` ${text.trim()}`), answer: value === null ? null : answer(value) })),
    questionIds: [...within(question === '' ? '' : `\n\n${question}`), ...tailIds, ...within(answerPrefix)],
    separatorIds: within(inline ? ',' : '\n'),
    order: needle.order,
  };
}

const mixed = (needle: NeedleSpec, template: TemplateSpec): RopesweepError =>
  new RopesweepError('SPEC_INVALID', {
    where: 'needle',
    what: `the needle ${needle.kind} and the template ${template.kind ?? 'ids'} do not go together`,
    mend: 'Use the needle symbols with the template ids, all other needles with base or chat.',
  });

export interface Answer {
  /** What follows the answer prefix, as many whatever the order. */
  readonly ids: readonly number[];
  /** Tokens of it, at the beginning, that are given and not asked for. */
  readonly givenTokens: number;
  /** Its values; null where tokens are no text. */
  readonly texts: readonly string[] | null;
}

/** @param order indices of the needles that bear the answer */
export function answerOf({ needles, separatorIds }: PromptPieces, order: readonly number[]): Answer {
  const answers = order.flatMap((index) => needles[index]?.answer ?? []);
  const texts = answers.flatMap(({ text }) => text ?? []);
  return {
    ids: answers.flatMap(({ ids }, place) => (place === 0 ? ids : [...separatorIds, ...ids])),
    givenTokens: answers[0]?.blankTokens ?? 0,
    texts: texts.length === answers.length ? texts : null,
  };
}
