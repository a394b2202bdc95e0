/**
 * The checkpoint's own chat template around one user message, cut where the haystack and the question come to stand.
 *
 * The template is rendered once with a mark in place of haystack and question; what stands before and behind the mark is
 * tokenised with the special tokens that the template spells out, and no others. One space before the mark goes: the
 * haystack brings its own.
 */
import { Template } from '@huggingface/jinja';
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { OpenTemplate, TextTemplate } from './templateKind.js';
import type { PromptTokenizer } from './tokenizer.js';

/** In no template and no language. */
const MARK = '\u27ea haystack and question \u27eb';

/** What templates that ask for today's date are told, so that prompts do not change with the day. */
const DATE: Readonly<Record<string, string>> = { d: '26', m: '07', b: 'Jul', B: 'July', y: '24', Y: '2024', A: 'Friday', a: 'Fri', H: '00', M: '00', S: '00' };
/** The function that templates ask for the date; the library's own, which reads the clock, cannot be replaced. */
const FIXED_DATE = 'fixed_date';
const formatDate = (format: string): string => format.replace(/%([a-zA-Z])/gu, (whole, letter: string) => DATE[letter] ?? whole);

/** @throws RopesweepError SPEC_INVALID where the checkpoint has no chat template, or one that cannot be used */
export function renderChat(template: Extract<TextTemplate, { kind: 'chat' }>, tokenizer: PromptTokenizer): OpenTemplate {
  const rendered = render(template, tokenizer);
  const [head, tail, ...more] = rendered.split(MARK);
  if (head === undefined || tail === undefined || more.length > 0) throw unusable(tokenizer, `its chat template prints a message ${rendered.split(MARK).length - 1} times, not once`);
  return {
    headIds: tokenizer.encode(head.replace(/ $/u, ''), { addSpecial: false }),
    tailIds: tokenizer.encodeWithin(tail, { spelt: 'parsed' }),
  };
}

function render({ system, intro }: Extract<TextTemplate, { kind: 'chat' }>, tokenizer: PromptTokenizer): string {
  if (tokenizer.chatTemplate === null) throw unusable(tokenizer, 'the checkpoint has no chat template');
  const message = { role: 'user', content: intro === '' ? MARK : `${intro} ${MARK}` };
  try {
    return new Template(tokenizer.chatTemplate.replaceAll('strftime_now', FIXED_DATE)).render({
      messages: system === undefined ? [message] : [{ role: 'system', content: system }, message],
      add_generation_prompt: true,
      bos_token: tokenizer.bosToken,
      eos_token: tokenizer.eosToken,
      [FIXED_DATE]: formatDate,
    });
  } catch (error) {
    throw unusable(tokenizer, `its chat template cannot be rendered: ${messageOf(error)}`, error);
  }
}

const unusable = (tokenizer: PromptTokenizer, what: string, cause?: unknown): RopesweepError =>
  new RopesweepError('SPEC_INVALID', { where: tokenizer.source, what, mend: 'Use template: {kind: base}, or a checkpoint with a chat template of its own.' }, { cause });
