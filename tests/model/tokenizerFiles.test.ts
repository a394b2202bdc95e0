/** What a folder says of its tokenizer: special tokens and chat template from whichever file has them. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTokenizerFiles } from '../../model/tokenizerFiles.js';
import { inFolder, refusal, STARTER, type Json } from './checkpointFolder.js';

const write = (folder: string, name: string, json: Json | string): Promise<void> =>
  writeFile(path.join(folder, name), typeof json === 'string' ? json : JSON.stringify(json));

describe('the tokenizer of a folder', () => {
  it('has its special tokens by name, and by number where only config.json has them', async () => {
    await inFolder(async (folder) => {
      expect(await readTokenizerFiles(folder)).toMatchObject({ bosTokenId: 0, eosTokenIds: [], addBos: false, chatTemplate: null, vocabularySize: 256 });
      await write(folder, 'tokenizer_config.json', { bos_token: { content: '[needle]' }, eos_token: 'w00' });
      expect(await readTokenizerFiles(folder)).toMatchObject({ bosTokenId: 1, eosTokenIds: [4] });
      await write(folder, 'generation_config.json', { eos_token_id: [9, 7, 9] });
      expect(await readTokenizerFiles(folder)).toMatchObject({ eosTokenIds: [7, 9] });
      await rm(path.join(folder, 'tokenizer_config.json'));
      expect(await readTokenizerFiles(folder)).toMatchObject({ bosTokenId: 0, config: {} });
    });
  });

  it('has the chat template of its own file, else that of tokenizer_config.json', async () => {
    await inFolder(async (folder) => {
      await write(folder, 'tokenizer_config.json', { chat_template: [{ name: 'tool_use', template: 'no' }, { name: 'default', template: 'yes' }] });
      expect((await readTokenizerFiles(folder))?.chatTemplate).toBe('yes');
      await write(folder, 'tokenizer_config.json', { chat_template: 'plain' });
      expect((await readTokenizerFiles(folder))?.chatTemplate).toBe('plain');
      await write(folder, 'chat_template.jinja', '{{ messages }}');
      expect((await readTokenizerFiles(folder))?.chatTemplate).toBe('{{ messages }}');
    });
  });

  it('puts BOS before texts where its post-processor does', async () => {
    await inFolder(async (folder) => {
      const json = JSON.parse(await readFile(path.join(STARTER, 'tokenizer.json'), 'utf8')) as Json;
      const template = { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], special_tokens: { '<s>': { ids: [0] } } };
      await write(folder, 'tokenizer.json', { ...json, post_processor: { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] } });
      expect((await readTokenizerFiles(folder))?.addBos).toBe(true);
    });
  });

  it('has a digest that follows what it does, not what it is called', async () => {
    await inFolder(async (folder) => {
      const before = (await readTokenizerFiles(folder))?.digest;
      await write(folder, 'tokenizer_config.json', { bos_token: '<s>', name_or_path: 'elsewhere' });
      expect((await readTokenizerFiles(folder))?.digest).toBe(before);
      await write(folder, 'chat_template.jinja', 'x');
      expect((await readTokenizerFiles(folder))?.digest).not.toBe(before);
    });
  });

  it('is null where there is none', async () => {
    await inFolder(async (folder) => {
      expect(await readTokenizerFiles(folder)).toBeNull();
    }, null);
  });

  it.each<[string, string, RegExp]>([
    ['is not JSON', '{', /tokenizer.json: it is not JSON/],
    ['is a list', '[]', /it is not a JSON object/],
    ['has no vocabulary', '{"model": {"type": "BPE"}}', /model.vocab/],
    ['has an id that is none', '{"model": {"vocab": {"a": -1}}}', /model.vocab/],
    ['is nested beyond the stack', `{"model": {"vocab": {"a": 0}}, "x": ${'['.repeat(20_000)}${']'.repeat(20_000)}}`, /it has no digest/],
  ])('is refused where it %s', async (_, text, message) => {
    await inFolder(async (folder) => {
      await write(folder, 'tokenizer.json', text);
      const error = await refusal(readTokenizerFiles(folder));
      expect(error.code).toBe('CHECKPOINT_INVALID');
      expect(error.message).toMatch(message);
    }, null);
  });
});
