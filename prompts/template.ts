/**
 * Templates: what stands around haystack and question. Special tokens are exactly those of the tokenizer (base), of the
 * checkpoint's chat template (chat) or of the spec (ids); splicing adds none.
 *
 *     ids    headIds | haystack | question
 *     base   BOS, intro | haystack | \n\n question \n answer prefix
 *     chat   template's head, intro | haystack | \n\n question | template's end of the message and head of the reply, answer prefix
 */
import { digest } from '../domain/identity.js';
import type { TemplateSpec } from '../domain/spec.js';
import { renderChat } from './chat.js';
import type { TextNeedle } from './needleKind.js';
import type { OpenTemplate, TextTemplate } from './templateKind.js';
import type { PromptTokenizer } from './tokenizer.js';

/** Raised when the same template puts other tokens into a prompt; part of the digest. */
const TEMPLATE_VERSION = 1;

export const isTextTemplate = (template: TemplateSpec): template is TextTemplate => template.kind === 'base' || template.kind === 'chat';

/** @throws RopesweepError SPEC_INVALID for chat where the checkpoint has no chat template, or one that cannot be used */
export function openTemplate(template: TextTemplate, tokenizer: PromptTokenizer): OpenTemplate {
  if (template.kind === 'chat') return renderChat(template, tokenizer);
  const intro = template.intro === '' ? [] : tokenizer.encode(template.intro, { addSpecial: false, spelt: 'plain' });
  return { headIds: [...tokenizer.bosIds, ...intro], tailIds: tokenizer.encodeWithin('\n') };
}

/** Question and answer prefix in the template's words, else in the needle's own. */
export function askedText(template: TextTemplate, needle: TextNeedle): { readonly question: string; readonly answerPrefix: string } {
  const filled = (text: string | undefined, own: string): string => text?.replaceAll('{key}', () => needle.key) ?? own;
  return { question: filled(template.question, needle.question), answerPrefix: filled(template.answerPrefix, needle.answerPrefix) };
}

/** Identity of what the template adds, beside the tokenizer's own, which covers BOS and chat template. */
export function templateDigest(template: TemplateSpec): string {
  const { kind = 'ids', ...fields } = template;
  return digest({ version: TEMPLATE_VERSION, template: kind === 'ids' ? fields : { kind, ...fields } });
}
