/** Tokenizers inside GGUF files: rebuilt from tokens, merges or scores, they give the ids of the tokenizer.json they were made from. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GgufContainer, GgufValue } from '../../model/ggufContainer.js';
import { ggufTokenizer } from '../../model/ggufTokenizer.js';
import { readTokenizerFiles } from '../../model/tokenizerFiles.js';
import { Tokenizer } from '../../prompts/tokenizer.js';
import { inFolder, refusal } from './checkpointFolder.js';
import { ggufBytes, type GgufKeys } from './ggufBytes.js';

interface TokenizerJson {
  added_tokens: { id: number; content: string; special: boolean }[];
  model: { vocab: Record<string, number>; merges: [string, string][] };
}
interface Expected {
  encode: { text: string; ids: number[]; ids_without_special: number[] }[];
}

const golden = async (name: string, file: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`../golden/tokenizers/${name}/${file}`, import.meta.url), 'utf8')) as unknown;

const [NORMAL, UNKNOWN, CONTROL, BYTE] = [1, 2, 3, 6];

/** What a conversion to GGUF keeps of a tokenizer.json. */
function keysOf({ added_tokens, model }: TokenizerJson, own: GgufKeys): GgufKeys {
  const tokens = Object.entries(model.vocab).sort(([, a], [, b]) => a - b).map(([token]) => token);
  const special = new Set(added_tokens.map(({ content }) => content));
  const merges = model.merges.map((merge) => merge.join(' '));
  const rank = new Map(model.merges.map((merge, index) => [merge.join(''), index]));
  return {
    'general.architecture': 'llama',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map((token) => (token === '<unk>' ? UNKNOWN : special.has(token) ? CONTROL : /^<0x..>$/.test(token) ? BYTE : NORMAL)),
    ...(own['tokenizer.ggml.model'] === 'llama'
      ? { 'tokenizer.ggml.scores': tokens.map((token) => -(rank.get(token) ?? model.merges.length) - 0.5) }
      : { 'tokenizer.ggml.merges': merges }),
    ...own,
  };
}

describe.each<[string, GgufKeys]>([
  ['bytelevel-llama3', { 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'llama-bpe', 'tokenizer.ggml.bos_token_id': 0, 'tokenizer.ggml.eos_token_id': 1, 'tokenizer.ggml.eot_token_id': 2 }],
  ['bytelevel-smollm', { 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'smollm', 'tokenizer.ggml.bos_token_id': 1, 'tokenizer.ggml.eos_token_id': 2, 'tokenizer.ggml.add_bos_token': false }],
  ['bytelevel-qwen2', { 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'qwen2', 'tokenizer.ggml.eos_token_id': 2 }],
  ['metaspace-llama2', { 'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.bos_token_id': 1, 'tokenizer.ggml.eos_token_id': 2, 'tokenizer.ggml.unknown_token_id': 0 }],
])('%s out of a GGUF file', (name, own) => {
  it('gives the golden ids, special tokens and all', async () => {
    const json = (await golden(name, 'tokenizer.json')) as TokenizerJson;
    const { encode } = (await golden(name, 'expected.json')) as Expected;
    await inFolder(async (folder) => {
      const file = path.join(folder, 'tokenizer.gguf');
      await writeFile(file, ggufBytes(keysOf(json, own)));
      const files = await readTokenizerFiles(file);
      if (files === null) throw new Error('there is no tokenizer');
      const tokenizer = new Tokenizer(files);
      for (const { text, ids, ids_without_special } of encode) {
        expect(tokenizer.encode(text, { addSpecial: false }), JSON.stringify(text)).toEqual(ids_without_special);
        expect(tokenizer.encode(text, { addSpecial: true }), JSON.stringify(text)).toEqual(ids);
      }
      expect(files.vocabularySize).toBe(Object.keys(json.model.vocab).length);
      expect(files.addBos).toBe((encode[0]?.ids.length ?? 0) > 0);
      expect(files.eosTokenIds).toEqual(name === 'bytelevel-llama3' ? [1, 2] : [2]);
    }, null);
  });
});

describe('a tokenizer that cannot be rebuilt', () => {
  const metadata = (keys: Record<string, GgufValue>): GgufContainer['metadata'] =>
    new Map(Object.entries({ 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'gpt-2', 'tokenizer.ggml.tokens': ['a', 'b', 'ab'], 'tokenizer.ggml.merges': ['a b'], ...keys }));
  const refused = (keys: Record<string, GgufValue>) => refusal(Promise.resolve().then(() => ggufTokenizer('x.gguf', metadata(keys))));

  it.each<[string, Record<string, GgufValue>, string, RegExp]>([
    ['has a pre-tokeniser of another name', { 'tokenizer.ggml.pre': 'tekken' }, 'MODEL_UNSUPPORTED', /tekken is not one of llama-bpe, .*smollm/],
    ['is of another kind', { 'tokenizer.ggml.model': 't5' }, 'MODEL_UNSUPPORTED', /t5 is not one of gpt2, llama/],
    ['has a token twice', { 'tokenizer.ggml.tokens': ['a', 'a'] }, 'CHECKPOINT_INVALID', /the same token stands there twice/],
    ['has merges that are none', { 'tokenizer.ggml.merges': ['a b c'] }, 'CHECKPOINT_INVALID', /"a b c" is not two tokens/],
    ['has kinds for some tokens only', { 'tokenizer.ggml.token_type': [1] }, 'CHECKPOINT_INVALID', /not a list of 3 numbers/],
    ['has a BOS that is no token', { 'tokenizer.ggml.bos_token_id': 3 }, 'CHECKPOINT_INVALID', /3 is not the id of one of 3 tokens/],
  ])('because it %s is refused by name', async (_, keys, code, message) => {
    const error = await refused(keys);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it('is null where the file has none', () => {
    expect(ggufTokenizer('x.gguf', new Map())).toBeNull();
  });
});
