import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NeedleNumbers } from '../../domain/measurement.js';
import type { Decoder } from '../../evaluation/decoder.js';
import { evaluateNeedle, type NeedleOptions } from '../../evaluation/needle.js';
import { tokenDigest } from '../../evaluation/tokenDigest.js';
import type { Prompt } from '../../prompts/build.js';
import { goldenPrompts, methodOfPrompt, openDecoder, starterFolder, tableFor, type GoldenPrompt } from './fixtures.js';

const golden = await goldenPrompts();

const promptOf = ({ tokens, answer, needleStart, needleTokens }: GoldenPrompt): Prompt => ({
  tokens: Int32Array.from(tokens),
  answerIds: answer,
  answerRows: [tokens.length - answer.length, tokens.length],
  answers: null,
  needleSpans: [[needleStart, needleStart + needleTokens]],
});

const decoders = new Map<string, Decoder>();
async function decoderFor(one: GoldenPrompt): Promise<Decoder> {
  const open = decoders.get(one.checkpoint) ?? (await openDecoder(starterFolder(one.checkpoint)));
  decoders.set(one.checkpoint, open);
  open.useTable(tableFor(open, methodOfPrompt(one)), one.tokens.length);
  return open;
}

async function evaluate(one: GoldenPrompt): Promise<NeedleNumbers> {
  const { numbers } = await evaluateNeedle(await decoderFor(one), promptOf(one), OPTIONS);
  if (numbers === null) throw new Error('diverged');
  return numbers;
}

const OPTIONS: NeedleOptions = { heads: true, localTokens: 16, generateTokens: 0, text: null };

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const results = new Map<GoldenPrompt, NeedleNumbers>();
beforeAll(async () => {
  for (const one of golden) results.set(one, await evaluate(one));
});
afterAll(async () => {
  for (const decoder of decoders.values()) await decoder.dispose();
});

describe('the needle task on the golden prompts', () => {
  it('agrees on exact match, NLL, entropy and needle mass', () => {
    const worst = { nll: 0, entropy: 0, mass: 0, heads: 0 };
    for (const [one, numbers] of results) {
      const heads = one.entropyNatsAndNeedleMassByLayerHead;
      expect(numbers.exactMatch).toBe(one.exactMatch === 1);
      worst.nll = Math.max(worst.nll, Math.abs(numbers.sumNll / numbers.tokenCount - one.meanAnswerNll));
      worst.entropy = Math.max(worst.entropy, Math.abs(numbers.entropyTeacherForced - mean(heads.map(([entropy]) => entropy))));
      worst.mass = Math.max(worst.mass, Math.abs(numbers.needleMass - mean(heads.map(([, mass]) => mass))));
      const packed = Buffer.from(numbers.heads ?? '', 'base64');
      heads.forEach(([entropy, mass], pair) => {
        worst.heads = Math.max(worst.heads, Math.abs(packed.readFloatLE(pair * 4) - entropy), Math.abs(packed.readFloatLE((5 * heads.length + pair) * 4) - mass));
      });
    }
    console.log(`largest differences over ${golden.length} prompts: NLL ${worst.nll.toExponential(1)}, entropy ${worst.entropy.toExponential(1)}, needle mass ${worst.mass.toExponential(1)}, per head ${worst.heads.toExponential(1)}`);
    expect(Math.max(worst.nll, worst.entropy, worst.mass, worst.heads)).toBeLessThan(1e-4);
  });

  it('stores the same entropy under every name on a passing cell', () => {
    for (const numbers of results.values()) {
      if (!numbers.exactMatch) continue;
      expect(numbers.entropy).toBe(numbers.entropyTeacherForced);
      expect(numbers.generatedIds).toEqual(numbers.answerIds);
    }
  });

  it('completes a failing cell with what greedy decoding from the prompt alone generates', async () => {
    const failing = golden.filter((one) => one.exactMatch === 0);
    expect(failing.length).toBeGreaterThan(0);
    for (const one of failing) {
      const decoder = await decoderFor(one);
      const generated: number[] = [];
      const entropies: number[] = [];
      const question = one.tokens.slice(0, one.tokens.length - one.answer.length + 1);
      for (let row = 0; row < one.answer.length; row += 1) {
        // The plain way: the whole sequence again for every token.
        decoder.rewind(0);
        const step = await decoder.feed([...question, ...generated], { logitRows: 1, probeRows: 1 });
        generated.push(step.rows[0]?.top1 ?? -1);
        entropies.push(mean([...step.probes.entropy]));
      }
      const numbers = results.get(one);
      expect(numbers?.generatedIds).toEqual(generated);
      // Four rows at once sum over four keys more, all of probability 0: the same value, rounded in another order.
      expect(Math.abs((numbers?.entropyFirst ?? 0) - (entropies[0] ?? 1))).toBeLessThan(1e-6);
      expect(Math.abs((numbers?.entropy ?? 0) - mean(entropies))).toBeLessThan(1e-6);
    }
  });

  it('gives the same bits whatever the cache holds before', async () => {
    const pair = golden.filter((one) => one.checkpoint === 'base' && one.method === 'none' && one.tokens.length === 256);
    const [first, second] = pair;
    if (first === undefined || second === undefined) throw new Error('two golden prompts of one table are needed');
    const decoder = await decoderFor(first);
    for (const one of [first, second, first, second, second]) {
      const prompt = promptOf(one);
      expect((await evaluateNeedle(decoder, prompt, OPTIONS)).numbers).toEqual(results.get(one));
    }
  });

  it('adds the masses of several needles up, and compares them with uniform attention', async () => {
    const [one] = golden;
    if (one === undefined) throw new Error('there is a golden prompt');
    const decoder = await decoderFor(one);
    const massOf = async (needleSpans: Prompt['needleSpans']): Promise<NeedleNumbers> => {
      const { numbers } = await evaluateNeedle(decoder, { ...promptOf(one), needleSpans }, OPTIONS);
      if (numbers === null) throw new Error('diverged');
      return numbers;
    };
    const [near, far, both] = [await massOf([[10, 14]]), await massOf([[40, 47]]), await massOf([[40, 47], [10, 14]])];
    expect(both.needleMass).toBeCloseTo(near.needleMass + far.needleMass, 7);
    expect(both).toMatchObject({ needleStart: 10, needleTokens: 11 });
    const rows = one.answer.map((_, row) => one.tokens.length - one.answer.length + row + 1);
    expect(both.needleLift).toBeCloseTo(both.needleMass / mean(rows.map((n) => 11 / n)), 10);
  });

  it('scores retrieval by the most attended key: within the needle, and of the token that the row predicts', async () => {
    for (const [one, numbers] of results) {
      const rows = one.answer.length;
      const { probes, rows: answered } = await (await decoderFor(one)).feed(one.tokens, { logitRows: rows, probeRows: rows });
      const hits = [...probes.maxPosition].filter((position, index) => {
        const inside = position >= one.needleStart && position < one.needleStart + one.needleTokens;
        return inside && one.tokens[position] === answered[index % rows]?.top1;
      });
      expect(numbers.retrievalScore).toBeCloseTo(hits.length / probes.maxPosition.length, 12);
      const heads = Buffer.from(numbers.heads ?? '', 'base64');
      const last = heads.length / 7;
      expect(mean(Array.from({ length: last / 4 }, (_, pair) => heads.readFloatLE(6 * last + 4 * pair)))).toBeCloseTo(numbers.retrievalScore, 6);
    }
    expect(Math.max(...[...results.values()].map(({ retrievalScore }) => retrievalScore))).toBeGreaterThan(0);
  });

  it('names a prompt by its token ids', () => {
    expect(tokenDigest(Int32Array.of(0, 1))).not.toBe(tokenDigest(Int32Array.of(1, 0)));
    // python3 -c "import hashlib,struct;print(hashlib.sha256(struct.pack('<2i',1,258)).hexdigest())"
    expect(tokenDigest(Int32Array.of(1, 258))).toBe('fb8bbe2ad3ab5292f19bc5d75bbab9b5fbddc5a78ce47ab41b2d3d59bca08596');
  });
});
