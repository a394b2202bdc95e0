import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '../../prompts/tokenizer.js';
import { goldenFiles, TOKENIZERS } from './goldenTokenizer.js';

interface Expected {
  vocab_size: number;
  special_tokens: string[];
  encode: { text: string; ids: number[]; ids_without_special: number[]; decoded: string; decoded_with_special: string }[];
  decode: { ids: number[]; decoded: string }[];
}

describe.each(TOKENIZERS)('the golden tokenizer %s', (name) => {
  const open = async () => ({
    tokenizer: new Tokenizer(await goldenFiles(name)),
    expected: JSON.parse(await readFile(`tests/golden/tokenizers/${name}/expected.json`, 'utf8')) as Expected,
  });

  it('encodes every text to the ids of the reference, with and without special tokens', async () => {
    const { tokenizer, expected } = await open();
    const wrong = expected.encode.filter(({ text, ids, ids_without_special: plain }) => {
      const got = [tokenizer.encode(text, { addSpecial: true }), tokenizer.encode(text, { addSpecial: false })];
      return JSON.stringify(got) !== JSON.stringify([ids, plain]);
    });
    console.log(`${name}: ${expected.encode.length} texts, ${wrong.length} differ`);
    expect(wrong).toEqual([]);
  });

  it('decodes whole texts and cut sequences as the reference does', async () => {
    const { tokenizer, expected } = await open();
    for (const { ids, ids_without_special: plain, decoded, decoded_with_special: withSpecial } of expected.encode) {
      expect(tokenizer.decode(plain, { skipSpecial: true })).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(withSpecial);
    }
    for (const { ids, decoded } of expected.decode) expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(decoded);
  });
});
