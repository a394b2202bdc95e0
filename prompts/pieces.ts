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
  /** What the answer has of it; null for a distractor. Text is null where tokens are no text. */
  readonly answer: { readonly ids: readonly number[]; readonly text: string | null } | null;
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
      return { headIds: template.headIds, needles: [{ ids: needleIds, answer: { ids: answerIds, text: null } }], questionIds, separatorIds: [], order: 'asked' };
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
  return {
    headIds,
    needles: needle.sentences.map(({ text, value }) => ({
      ids: within(` ${text.trim()}`),
      answer: value === null ? null : { ids: within(inline ? ` ${value}` : value), text: value },
    })),
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

/** The answer: its token ids, as many whatever the order; its values as text, null where tokens are no text. */
export function answerOf({ needles, separatorIds }: PromptPieces, order: readonly number[]): { readonly ids: readonly number[]; readonly texts: readonly string[] | null } {
  const answers = order.flatMap((index) => needles[index]?.answer ?? []);
  const texts = answers.flatMap(({ text }) => text ?? []);
  return {
    ids: answers.flatMap(({ ids }, place) => (place === 0 ? ids : [...separatorIds, ...ids])),
    texts: texts.length === answers.length ? texts : null,
  };
}
