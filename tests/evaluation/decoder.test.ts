/** The promise that results do not depend on how a sequence was fed, and what a decoder refuses. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FEWEST_ROWS, isExact, LONGEST_CHUNK } from '../../evaluation/chunks.js';
import type { Decoder, FeedOptions } from '../../evaluation/decoder.js';
import { bitsOf, goldenModelFolder, goldenPrompts, methodOfPrompt, openDecoder, starterFolder, tableFor, type GoldenPrompt } from './fixtures.js';

describe('bits of logits and probes', () => {
  let prompt: GoldenPrompt;
  let decoder: Decoder;
  let tokens: readonly number[];
  let options: FeedOptions;
  let undisturbed: string;

  beforeAll(async () => {
    prompt = (await goldenPrompts()).find(({ inputTokens, method }) => inputTokens === 1024 && method === 'yarn') as GoldenPrompt;
    tokens = prompt.tokens.slice(0, prompt.inputTokens);
    options = { logitRows: 4, targets: prompt.answer, keepLogits: true, probeRows: 4, spans: [[prompt.needleStart, prompt.needleStart + prompt.needleTokens]] };
    decoder = await openDecoder(starterFolder(prompt.checkpoint));
    decoder.useTable(tableFor(decoder, methodOfPrompt(prompt)), tokens.length);
    const result = await decoder.feed(tokens, options);
    expect(result.finite).toBe(true);
    undisturbed = bitsOf(result);
  });
  afterAll(() => decoder.dispose());

  /** The whole prompt, its first tokens as `prefix` feeds them. */
  async function bitsAfter(prefix: (length: number) => Promise<unknown>, finalTokens = 24): Promise<string> {
    decoder.rewind(0);
    await prefix(tokens.length - finalTokens);
    return bitsOf(await decoder.feed(tokens.slice(decoder.length), options));
  }

  it.each([64, 65, 100, 129, 255, 256, 513, 1000, 1024])('are the same in chunks of %i', async (chunkTokens) => {
    decoder.rewind(0);
    expect(bitsOf(await decoder.feed(tokens, { ...options, chunkTokens }))).toBe(undisturbed);
  });

  it.each([2, 3, 7])('are the same in chunks of %i over the last 200 tokens', async (chunkTokens) => {
    expect(await bitsAfter(async (length) => {
      await decoder.feed(tokens.slice(0, length - 200));
      await decoder.feed(tokens.slice(length - 200, length), { chunkTokens });
    })).toBe(undisturbed);
  });

  it.each([1025, 1030, 1536, 4096])('are the same at a capacity of %i tokens', async (capacityTokens) => {
    const other = await openDecoder(starterFolder(prompt.checkpoint));
    other.useTable(tableFor(other, methodOfPrompt(prompt)), capacityTokens);
    expect(bitsOf(await other.feed(tokens, options))).toBe(undisturbed);
    await other.dispose();
  });

  it('are the same when memory of a larger capacity is used again', async () => {
    const other = await openDecoder(starterFolder(prompt.checkpoint));
    other.useTable(tableFor(other, { name: 'none' }), 2048);
    await other.feed(Array.from({ length: 2048 }, () => 7));
    other.useTable(tableFor(other, methodOfPrompt(prompt)), tokens.length);
    expect(bitsOf(await other.feed(tokens, options))).toBe(undisturbed);
    await other.dispose();
  });

  it('are the same with two threads', async () => {
    const other = await openDecoder(starterFolder(prompt.checkpoint), 2);
    other.useTable(tableFor(other, methodOfPrompt(prompt)), tokens.length);
    expect(bitsOf(await other.feed(tokens, options))).toBe(undisturbed);
    await other.dispose();
  });

  it('are the same after another branch was fed and rewound', async () => {
    expect(
      await bitsAfter(async () => {
        await decoder.feed(tokens.slice(0, 500));
        await decoder.feed(tokens.slice(0, 400), options);
        decoder.rewind(500);
      }),
    ).toBe(undisturbed);
  });

  it.each([4, 5, 9, 65, 100, 129, 193, 777])('are the same whether the rows come with the last %i tokens or with all', async (finalTokens) => {
    expect(await bitsAfter((length) => decoder.feed(tokens.slice(0, length)), finalTokens)).toBe(undisturbed);
  });

  it('are the same when part of the prefix was fed token by token, each together with the one before', async () => {
    expect(
      await bitsAfter(async (length) => {
        await decoder.feed(tokens.slice(0, 1));
        await decoder.feed(tokens.slice(1, length - 50));
        for (const token of tokens.slice(length - 50, length)) await decoder.feed([token], { logitRows: 1, probeRows: 1 });
      }),
    ).toBe(undisturbed);
  });

  it('of a row of logits do not depend on how many rows are asked for', async () => {
    const results = new Set<string>();
    for (const rows of [1, 2, 3, 40, 300]) {
      decoder.rewind(0);
      const row = (await decoder.feed(tokens, { keepLogits: true, logitRows: rows })).rows.at(-1);
      results.add(JSON.stringify([row?.top1, row?.margin, ...(row?.logits ?? [])]));
    }
    expect(results.size).toBe(1);
  });
});

describe.each(['llama-gqa', 'llama-mqa', 'llama-tied'])('bits of %s', (name) => {
  it('are the same in any chunks and at any capacity', async () => {
    const decoder = await openDecoder(goldenModelFolder(name));
    const table = tableFor(decoder, { name: 'ntk', factor: 4 });
    const tokens = Array.from({ length: 311 }, (_, index) => (index * 37 + (index >> 3)) % decoder.checkpoint.config.vocabularySize);
    const options: FeedOptions = { logitRows: 5, targets: [1, 2, 3, 4, 5], keepLogits: true, probeRows: 5, spans: [[100, 120]] };
    const results = new Set<string>();
    for (const [capacityTokens, chunkTokens] of [[311, 311], [311, 2], [311, 13], [400, 64], [4096, 256]] as const) {
      decoder.useTable(table, capacityTokens);
      results.add(bitsOf(await decoder.feed(tokens, { ...options, chunkTokens })));
    }
    expect(results.size).toBe(1);
    await decoder.dispose();
  });
});

describe('losses, margins and top tokens of every row', () => {
  it.each([
    { name: 'llama-gqa', step: 1 },
    { name: 'llama-tied', step: 7 },
    { name: 'llama-headdim', step: 7 },
  ])('of $name are the same in every length of chunk that the engine can choose', async ({ name, step }) => {
    const decoder = await openDecoder(goldenModelFolder(name), 2);
    const { headSize, vocabularySize } = decoder.checkpoint.config;
    const before = 300;
    const tokens = Array.from({ length: before + LONGEST_CHUNK + 2 }, (_, index) => (index * 37 + (index >> 3)) % vocabularySize);
    decoder.useTable(tableFor(decoder, { name: 'ntk', factor: 4 }), tokens.length);
    await decoder.feed(tokens.slice(0, before));
    const rowsOf = async (count: number, logitRows: number): Promise<string[]> => {
      decoder.rewind(before);
      const end = before + count;
      const { rows } = await decoder.feed(tokens.slice(before, end), { logitRows, targets: tokens.slice(end - logitRows + 1, end + 1), chunkTokens: count });
      return rows.map(({ top1, nll, margin }) => `${top1} ${nll} ${margin}`);
    };
    const whole = await rowsOf(LONGEST_CHUNK + 1, LONGEST_CHUNK + 1);
    const different: number[] = [];
    for (let count = FEWEST_ROWS; count <= LONGEST_CHUNK; count += step) {
      if (isExact(count, headSize) && (await rowsOf(count, FEWEST_ROWS)).join() !== whole.slice(count - FEWEST_ROWS, count).join()) different.push(count);
    }
    expect(different).toEqual([]);
    // Every row of some of them, and of lengths that have to be cut or fed with a token more.
    for (const count of [2, 3, 31, 32, 33, 64, 65, 100, 128, 129, 200, 257, 511, 513, 999, 1024]) expect(await rowsOf(count, count)).toEqual(whole.slice(0, count));
    await decoder.dispose();
  });
});

describe('a decoder', () => {
  let decoder: Decoder;
  beforeAll(async () => {
    decoder = await openDecoder(starterFolder('base'));
  });
  afterAll(() => decoder.dispose());

  it('knows what it holds', async () => {
    decoder.useTable(tableFor(decoder, { name: 'none' }), 16);
    await decoder.feed([0, 5, 6, 7]);
    expect(decoder.length).toBe(4);
    expect(decoder.sharedWith([0, 5, 9, 9])).toBe(2);
    expect(decoder.sharedWith([0, 5])).toBe(2);
    decoder.rewind(1);
    expect(decoder.sharedWith([0, 5, 6])).toBe(1);
    decoder.useTable(tableFor(decoder, { name: 'none' }), 16);
    expect(decoder.length).toBe(0);
  });

  it('counts the tokens it computes, the one fed again included', async () => {
    decoder.useTable(tableFor(decoder, { name: 'none' }), 16);
    const before = decoder.fedTokens;
    await decoder.feed([0, 5, 6]);
    await decoder.feed([7]);
    expect(decoder.fedTokens - before).toBe(5);
    expect(decoder.length).toBe(4);
  });

  it('takes a sequence of one token', async () => {
    decoder.useTable(tableFor(decoder, { name: 'none' }), 4);
    const { rows, probes, finite } = await decoder.feed([0], { logitRows: 1, probeRows: 1, targets: [5], spans: [[0, 1]] });
    expect(finite).toBe(true);
    expect(rows).toHaveLength(1);
    expect([...probes.spanMass]).toEqual(Array.from({ length: 9 }, () => 1));
  });

  it('says that a model whose numbers are not finite has diverged, and leaves nothing of it in its memory', async () => {
    const table = tableFor(decoder, { name: 'none' });
    const options: FeedOptions = { logitRows: 2, targets: [8, 9], probeRows: 2, keepLogits: true };
    decoder.useTable(table, 64);
    const healthy = bitsOf(await decoder.feed([0, 5, 6, 7], options));
    decoder.useTable({ ...table, attentionFactor: Number.MAX_VALUE }, 64);
    expect((await decoder.feed(Array.from({ length: 64 }, (_, index) => index), options)).finite).toBe(false);
    decoder.useTable(table, 64);
    expect(bitsOf(await decoder.feed([0, 5, 6, 7], options))).toBe(healthy);
  });

  it('refuses what cannot be fed, and holds what it held', async () => {
    decoder.useTable(tableFor(decoder, { name: 'none' }), 8);
    await decoder.feed([0, 5, 6]);
    await expect(decoder.feed([])).rejects.toThrow('at least one token');
    await expect(decoder.feed([1, 2, 3, 4, 5, 6])).rejects.toThrow('9 tokens do not fit a capacity of 8');
    await expect(decoder.feed([256])).rejects.toThrow('256 is not one of 256 token ids');
    await expect(decoder.feed([1, 2], { logitRows: 3 })).rejects.toThrow('3 rows of 2 tokens');
    await expect(decoder.feed([1, 2], { logitRows: 2, targets: [1] })).rejects.toThrow('1 targets for 2 rows');
    await expect(decoder.feed([1, 2], { spans: [[3, 6]] })).rejects.toThrow('the span 3:6 lies outside 5 tokens');
    expect(() => decoder.rewind(4)).toThrow('cannot rewind 3 tokens to 4');
    expect(decoder.sharedWith([0, 5, 6])).toBe(3);
  });

  it('refuses a table of another rotary size', () => {
    expect(() => decoder.useTable({ inverseFrequencies: [1], attentionFactor: 1 }, 8)).toThrow('does not fit 32 rotating dimensions');
  });

  it('refuses a capacity at which a tensor would reach 2^31 elements, and goes on', async () => {
    const table = tableFor(decoder, { name: 'none' });
    expect(() => decoder.useTable(table, 2 ** 25)).toThrow('2^31');
    decoder.useTable(table, 8);
    expect((await decoder.feed([0, 5], { logitRows: 1, targets: [6] })).finite).toBe(true);
  });
});
