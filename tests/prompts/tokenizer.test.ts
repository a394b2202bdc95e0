import { readFile } from 'node:fs/promises';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import type { JsonObject } from '../../domain/tokenizer.js';
import { randomStream } from '../../domain/random.js';
import { Tokenizer } from '../../prompts/tokenizer.js';
import { goldenFiles, TOKENIZERS } from './goldenTokenizer.js';

interface Expected {
  vocab_size: number;
  special_tokens: Record<string, number>;
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

  it('gives a long text the tokens that the library makes of it as a whole', async () => {
    const { tokenizer, expected } = await open();
    const { json, config } = await goldenFiles(name);
    const { normalizer, pre_tokenizer: preTokenizer, model } = new Library(json, config);
    const added = (json['added_tokens'] as { content: string }[]).map(({ content }) => content);
    const texts = expected.encode.map(({ text }) => text).filter((text) => !added.some((content) => text.includes(content)));
    const text = Array.from({ length: 40 }, (_, index) => texts[(index * 7) % texts.length] ?? '').join('  and\n so ') + ' the  end ▁ of▁it  ';
    const normalized = normalizer?.normalize(text) ?? text;
    const tokens = model._call(preTokenizer?.pre_tokenize(normalized, { section_index: 0 }) ?? [normalized]);
    expect(tokenizer.encode(text, { addSpecial: false }).map((token) => tokenizer.tokenText(token))).toEqual(tokens);
  });

  it('decodes whole texts and cut sequences as the reference does', async () => {
    const { tokenizer, expected } = await open();
    for (const { ids, ids_without_special: plain, decoded, decoded_with_special: withSpecial } of expected.encode) {
      expect(tokenizer.decode(plain, { skipSpecial: true })).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(withSpecial);
    }
    for (const { ids, decoded } of expected.decode) expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(decoded);
  });

  it('encodes a text behind another one without a prefix of its own', async () => {
    const { tokenizer } = await open();
    const texts = ['Snow falls', ' Snow falls', '\n\nSnow', ' 1234', ',', ' quiet-owl', '\n', ' ', '水車', ' <s>', '…'];
    for (const before of ['The town.', 'x']) {
      for (const text of texts) {
        const ids = [...tokenizer.encode(before, { addSpecial: true }), ...tokenizer.encodeWithin(text)];
        expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(tokenizer.decode(tokenizer.encode(before, { addSpecial: true }), { skipSpecial: true }) + text);
      }
    }
    expect(tokenizer.encodeWithin('')).toEqual([]);
  });

  it('takes special tokens in a plain text for text', async () => {
    const { tokenizer, expected } = await open();
    for (const special of Object.keys(expected.special_tokens)) {
      const text = `so ${special} it is`;
      expect(tokenizer.encode(text, { addSpecial: false }).some((id) => tokenizer.specialIds.has(id))).toBe(true);
      for (const plain of [tokenizer.encode(text, { addSpecial: false, spelt: 'plain' }), tokenizer.encodeWithin(` ${text}`)]) {
        expect(plain.some((id) => tokenizer.specialIds.has(id))).toBe(false);
        expect(tokenizer.decode(plain, { skipSpecial: false }).trim()).toBe(text);
      }
    }
  });

  it('counts the UTF-8 bytes that each token stands for', async () => {
    const { tokenizer, expected } = await open();
    let largest = 0;
    for (const { decoded, ids_without_special: ids } of expected.encode) {
      // Cut UTF-8 decodes to U+FFFD of other lengths, and lstrip tokens swallow spaces: texts that come back whole count.
      const text = tokenizer.decode(ids, { skipSpecial: false });
      if (text !== decoded || text.includes('\uFFFD') || ids.some((id) => tokenizer.specialIds.has(id))) continue;
      const difference = ids.reduce((sum, id) => sum + tokenizer.byteLength(id), 0) - Buffer.byteLength(text);
      expect([0, 1]).toContain(difference);
      largest = Math.max(largest, difference);
    }
    console.log(`${name}: tokens have at most ${largest} bytes more than their text (the prefix space)`);
  });

  it('that is damaged gives an error or a tokenizer, never a crash', async () => {
    const files = await goldenFiles(name);
    const text = JSON.stringify(files.json);
    const random = randomStream(`damage/${name}`, 1);
    let refused = 0;
    for (let round = 0; round < 60; round += 1) {
      let damaged = text;
      for (let cut = 0; cut < 3; cut += 1) {
        // Half of the damage in the small parts before and behind the vocabulary, where it changes what is done.
        const at = random.below(2) === 0 ? random.below(damaged.length) : random.below(Math.min(1500, damaged.length));
        const put = ['', '"', '0', '-1', 'null', '[]', '{}', '9999999999', '\\u0000', ',', '(?', 'x'][random.below(12)] ?? '';
        damaged = damaged.slice(0, at) + put + damaged.slice(at + random.below(6));
      }
      let json: unknown;
      try {
        json = JSON.parse(damaged);
      } catch {
        // Not JSON: model/tokenizerFiles.ts refuses it. Damage by field instead.
        json = damagedField(JSON.parse(text) as unknown, random);
      }
      try {
        const tokenizer = new Tokenizer({ ...files, json: json as JsonObject });
        const ids = tokenizer.encode('The quick <s> 水車 brown fox, 1234!', { addSpecial: true });
        tokenizer.decode(ids, { skipSpecial: false });
        tokenizer.encodeWithin(' fox');
        ids.forEach((id) => tokenizer.byteLength(id));
      } catch (error) {
        if (!(error instanceof RopesweepError)) throw error;
        expect(error.code).toBe('CHECKPOINT_INVALID');
        refused += 1;
      }
    }
    console.log(`${name}: of 60 damaged files ${refused} were refused`);
    expect(refused).toBeGreaterThan(0);
  });
});

/** Puts something else in the place of one value, a few levels deep. */
function damagedField(value: unknown, random: { below(count: number): number }): unknown {
  const wrong = [null, -1, 1e12, '', 'x', [], {}, true, [[]], { type: 'Nothing' }][random.below(10)];
  if (typeof value !== 'object' || value === null || random.below(4) === 0) return wrong;
  const entries = Object.entries(value as Record<string, unknown>);
  const at = random.below(Math.max(1, entries.length));
  const changed = entries.map(([key, field], index) => [key, index === at ? damagedField(field, random) : field] as const);
  return Array.isArray(value) ? changed.map(([, field]) => field) : Object.fromEntries(changed);
}
