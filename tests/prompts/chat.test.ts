import { describe, expect, it } from 'vitest';
import type { TemplateSpec } from '../../domain/promptSpec.js';
import { openTemplate, templateDigest } from '../../prompts/template.js';
import { promptSource } from '../../prompts/source.js';
import { Tokenizer } from '../../prompts/tokenizer.js';
import { goldenFiles } from './goldenTokenizer.js';
import { textTask } from './textTask.js';

/** ChatML with a system message of its own where none is given, as SmolLM2's template has. */
const CHATML = `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`;
/** BOS, marks with spaces, a date where the template asks for one, content that is trimmed. */
const INSTRUCT = `{{ bos_token }}[{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% endif %}] {% for message in messages %}[INST] {{ message['content'] | trim }} [/INST]{% endfor %}`;

const chatOf = (template: string) => goldenFiles('bytelevel-smollm', { chatTemplate: template, bosTokenId: 1, eosTokenIds: [2], addBos: false }).then((files) => new Tokenizer(files));
const chat = (fields: object = {}): Extract<TemplateSpec, { kind: 'chat' }> => ({ kind: 'chat', intro: 'Read.', ...fields });

describe('the chat template', () => {
  it('gives its special tokens and no others, split around haystack and question', async () => {
    const tokenizer = await chatOf(CHATML);
    const { headIds, tailIds } = openTemplate(chat(), tokenizer);
    const shown = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecial: false });
    expect(shown(headIds)).toBe('<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nRead.');
    expect(shown(tailIds)).toBe('<|im_end|>\n<|im_start|>assistant\n');
    // <|im_start|> 1 is BOS too: three times in all, as the template prints it, and nowhere else.
    expect([...headIds, ...tailIds].filter((id) => tokenizer.specialIds.has(id))).toEqual([1, 2, 1, 2, 1]);
    expect(headIds).toEqual(tokenizer.encode('<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nRead.', { addSpecial: false }));
  });

  it('takes the system message of the spec in place of its own', async () => {
    const tokenizer = await chatOf(CHATML);
    const { headIds } = openTemplate(chat({ system: 'Be brief.', intro: '' }), tokenizer);
    expect(tokenizer.decode(headIds, { skipSpecial: false })).toBe('<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n');
  });

  it('knows BOS, trims as it likes, and is told the same date every day', async () => {
    const tokenizer = await chatOf(INSTRUCT);
    const { headIds, tailIds } = openTemplate(chat({ intro: '' }), tokenizer);
    expect(tokenizer.decode(headIds, { skipSpecial: false })).toBe('<|im_start|>[26 Jul 2024] [INST]');
    expect(tokenizer.decode(tailIds, { skipSpecial: false })).toBe(' [/INST]');
  });

  it('stands around the whole prompt: one user message, the answer prefix in the reply', async () => {
    const tokenizer = await chatOf(CHATML);
    const task = await textTask({ needle: { kind: 'passkey' }, template: { kind: 'chat', intro: 'Read.' } });
    const { tokens, answers, answerRows } = (await promptSource(task, tokenizer))(600, { depth: 0.5, seed: 4 });
    const text = tokenizer.decode([...tokens.subarray(0, answerRows[0] + 1)], { skipSpecial: false });
    expect(text).toMatch(/^<\|im_start\|>system\nBe kind\.<\|im_end\|>\n<\|im_start\|>user\nRead\. [A-Z]/);
    expect(text).toMatch(/\n\nWhat is the pass key\?<\|im_end\|>\n<\|im_start\|>assistant\nThe pass key is $/);
    expect(text.split(answers?.[0] ?? '?')).toHaveLength(3);
    expect([...tokens].filter((id) => tokenizer.specialIds.has(id))).toEqual([1, 2, 1, 2, 1]);
  });

  it('that is absent, broken or refuses the message is refused, naming the checkpoint', async () => {
    const absent = new Tokenizer(await goldenFiles('bytelevel-smollm'));
    expect(() => openTemplate(chat(), absent)).toThrow(/bytelevel-smollm.*has no chat template/);
    for (const broken of ['{% for', "{{ raise_exception('no') }}", '{{ 1 }}', "{{ messages[0]['content'] }}{{ messages[0]['content'] }}"]) {
      const tokenizer = await chatOf(broken);
      expect(() => openTemplate(chat(), tokenizer)).toThrow(/chat template/);
    }
  });
});

describe('the digest of a template', () => {
  it('is that of ids alone where no kind is said, and changes with every word', () => {
    const digests = [{ headIds: [0] }, { headIds: [1] }, { kind: 'base', intro: '' }, { kind: 'base', intro: '', question: '?' }, { kind: 'chat', intro: '' }, { kind: 'chat', intro: '', system: 'x' }] as const;
    const all = digests.map((template) => templateDigest(JSON.parse(JSON.stringify(template)) as TemplateSpec));
    expect(new Set(all).size).toBe(digests.length);
    expect(templateDigest({ kind: 'ids', headIds: [0] })).toBe(templateDigest({ headIds: [0] }));
  });
});
