/** What needle cells say of generated text, held against greedy decoding done the plain way; what follows where no KV is kept. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NeedleNumbers } from '../../domain/measurement.js';
import type { Decoder } from '../../evaluation/decoder.js';
import { evaluateNeedle, type AnswerText, type NeedleOptions } from '../../evaluation/needle.js';
import type { SequenceDecoder } from '../../evaluation/sequenceDecoder.js';
import { readTokenizerFiles } from '../../model/tokenizerFiles.js';
import type { Prompt } from '../../prompts/build.js';
import { Tokenizer } from '../../prompts/tokenizer.js';
import { goldenPrompts, methodOfPrompt, openDecoder, starterFolder, tableFor, type GoldenPrompt } from './fixtures.js';

const GENERATED = 9;
const golden = await goldenPrompts();
const files = await readTokenizerFiles(starterFolder('base'));
if (files === null) throw new Error('the starter models have a tokenizer');
const tokenizer = new Tokenizer(files);

/** Answers as text: the tokens of the starter models are words. */
const textOf = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecial: true });
const text: AnswerText = { decode: textOf, endTokens: new Set() };
const promptOf = ({ tokens, answer, needleStart, needleTokens }: GoldenPrompt): Prompt => ({
  tokens: Int32Array.from(tokens),
  answerIds: answer,
  answers: answer.map((token) => textOf([token])),
  answerRows: [tokens.length - answer.length, tokens.length],
  needleSpans: [[needleStart, needleStart + needleTokens]],
});
const OPTIONS: NeedleOptions = { heads: true, localTokens: 16, generateTokens: GENERATED, text };

const decoders = new Map<string, Decoder>();
async function decoderFor(one: GoldenPrompt): Promise<Decoder> {
  const open = decoders.get(one.checkpoint) ?? (await openDecoder(starterFolder(one.checkpoint)));
  decoders.set(one.checkpoint, open);
  open.useTable(tableFor(open, methodOfPrompt(one)), one.tokens.length + GENERATED);
  return open;
}
afterAll(async () => {
  for (const decoder of decoders.values()) await decoder.dispose();
});

async function evaluate(decoder: SequenceDecoder, one: GoldenPrompt, options: Partial<NeedleOptions> = {}): Promise<NeedleNumbers> {
  const { numbers } = await evaluateNeedle(decoder, promptOf(one), { ...OPTIONS, ...options });
  if (numbers === null) throw new Error('diverged');
  return numbers;
}

/** Greedy decoding the plain way: the whole sequence again for every token. */
async function decodedPlainly(one: GoldenPrompt): Promise<number[]> {
  const decoder = await decoderFor(one);
  const question = one.tokens.slice(0, one.tokens.length - one.answer.length + 1);
  const generated: number[] = [];
  while (generated.length < GENERATED) {
    decoder.rewind(0);
    const { rows } = await decoder.feed([...question, ...generated], { logitRows: 1 });
    generated.push(rows[0]?.top1 ?? -1);
  }
  return generated;
}

describe('longer greedy decoding', () => {
  const plain = new Map<GoldenPrompt, number[]>();
  beforeAll(async () => {
    for (const one of golden) plain.set(one, await decodedPlainly(one));
    expect(new Set(golden.map(({ exactMatch }) => exactMatch)).size).toBe(2);
  });

  it('generates what the model prints, and keeps the text', async () => {
    for (const one of golden) {
      const numbers = await evaluate(await decoderFor(one), one);
      expect(numbers.generatedIds).toEqual(plain.get(one));
      expect(numbers.generatedText).toBe(textOf(plain.get(one) ?? []));
    }
  });

  it('begins with the answer exactly where teacher forcing says so', async () => {
    for (const one of golden) {
      const numbers = await evaluate(await decoderFor(one), one);
      const begins = one.answer.every((token, index) => plain.get(one)?.[index] === token);
      expect(numbers.exactMatch).toBe(begins);
      expect(numbers.generatedText?.startsWith(textOf(one.answer))).toBe(begins);
      if (begins) expect([numbers.tokenRecall, numbers.stringRecall]).toEqual([1, 1]);
      else expect(numbers.tokenRecall).toBeLessThan(1);
    }
  });

  it('ends with an end token, which is kept among the ids', async () => {
    let ended = 0;
    for (const one of golden) {
      const ids = plain.get(one) ?? [];
      const place = ids.findIndex((token, index) => index >= one.answer.length && ids.indexOf(token) === index);
      if (place < 0) continue;
      const numbers = await evaluate(await decoderFor(one), one, { text: { ...text, endTokens: new Set([ids[place] ?? -1]) } });
      expect(numbers.generatedIds).toEqual(ids.slice(0, place + 1));
      ended += 1;
    }
    expect(ended).toBeGreaterThan(3);
  });

  it('changes none of the other numbers', async () => {
    for (const one of golden) {
      const longer = await evaluate(await decoderFor(one), one);
      const shorter = await evaluate(await decoderFor(one), one, { generateTokens: 0 });
      expect(shorter).toMatchObject({ generatedText: null, stringRecall: null, generatedIds: longer.generatedIds?.slice(0, one.answer.length) ?? [] });
      const { generatedIds, generatedText, stringRecall } = shorter;
      expect({ ...longer, generatedIds, generatedText, stringRecall }).toEqual(shorter);
    }
  });

  it('is counted apart from the prompt', async () => {
    for (const one of golden) {
      const decoder = await decoderFor(one);
      const before = decoder.fedTokens;
      const { completionTokens } = await evaluateNeedle(decoder, promptOf(one), OPTIONS);
      expect(decoder.fedTokens - before - completionTokens).toBe(one.tokens.length);
      // Every generated token but those that teacher forcing told is fed together with the one before it.
      expect(completionTokens).toBeGreaterThan(0);
      expect(completionTokens).toBeLessThanOrEqual(2 * GENERATED);
    }
  });
});

describe('a device that keeps nothing between runs', () => {
  /** Feeds every sequence whole. */
  const forgetful = (decoder: Decoder): SequenceDecoder => ({
    checkpoint: decoder.checkpoint,
    keepsKv: false,
    length: 0,
    get fedTokens() {
      return decoder.fedTokens;
    },
    useTable: (table, capacityTokens) => decoder.useTable(table, capacityTokens),
    sharedWith: () => 0,
    rewind: () => decoder.rewind(0),
    feed: (tokens, options) => decoder.feed(tokens, options),
    dispose: () => decoder.dispose(),
  });

  it('tells the numbers of teacher forcing, and of a failing cell nothing that would have to be generated', async () => {
    for (const one of golden) {
      const kept = await evaluate(await decoderFor(one), one, { generateTokens: 0 });
      const decoder = forgetful(await decoderFor(one));
      decoder.rewind(0);
      const told = await evaluate(decoder, one, { generateTokens: 0 });
      expect(told).toEqual(kept.exactMatch ? kept : { ...kept, entropy: null, generatedIds: null });
    }
  });
});
