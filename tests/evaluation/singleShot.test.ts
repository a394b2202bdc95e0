/** The decoder that keeps nothing, on the CPU provider, against the one that keeps its cache. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { id, type CellKey } from '../../domain/ids.js';
import type { CellResult, NeedleNumbers } from '../../domain/measurement.js';
import type { ResolvedDocument } from '../../domain/task.js';
import { Decoder } from '../../evaluation/decoder.js';
import { evaluateNeedle } from '../../evaluation/needle.js';
import { evaluatePerplexity } from '../../evaluation/perplexity.js';
import type { SequenceDecoder } from '../../evaluation/sequenceDecoder.js';
import { SingleShotDecoder } from '../../evaluation/singleShot.js';
import { LOSS_BLOCK_ROWS } from '../../model/rowLosses.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { LOGIT_TOLERANCE } from './goldenForward.js';
import { goldenModelFolder, goldenPrompts, methodOfPrompt, openDecoder, starterFolder, tableFor } from './fixtures.js';

/** Two ways of adding up in float32: what the golden numbers' README allows either against float64. */
const TOLERANCE = LOGIT_TOLERANCE;

const singleShot = async (folder: string, distributions = false): Promise<SingleShotDecoder> =>
  SingleShotDecoder.open(await openCheckpoint(folder), { threads: 1, dtype: 'f32', distributions });

/** The largest difference of all numbers in two values of one form; other leaves must be equal. */
function largestDifference(ours: unknown, theirs: unknown): number {
  if (typeof ours === 'number' && typeof theirs === 'number') return Math.abs(ours - theirs);
  if (typeof ours === 'object' && typeof theirs === 'object' && ours !== null && theirs !== null) {
    const [a, b] = [Object.entries(ours), new Map(Object.entries(theirs))];
    expect(a.map(([name]) => name)).toEqual([...b.keys()]);
    return Math.max(0, ...a.map(([name, value]) => largestDifference(value, b.get(name))));
  }
  expect(ours).toEqual(theirs);
  return 0;
}

describe('the needle task without a cache', () => {
  it('has the numbers of a cell that it has with one; of failing cells entropy and generated ids are unknown', async () => {
    let worst = 0;
    let [passing, failing] = [0, 0];
    const options = { heads: false, localTokens: 16, generateTokens: 0, text: null };
    for (const one of await goldenPrompts()) {
      const kept = await openDecoder(starterFolder(one.checkpoint));
      const single = await singleShot(starterFolder(one.checkpoint));
      const prompt = {
        tokens: Int32Array.from(one.tokens),
        answerIds: one.answer,
        answerRows: [one.tokens.length - one.answer.length, one.tokens.length] as const,
        answers: null,
        needleSpans: [[one.needleStart, one.needleStart + one.needleTokens]] as const,
      };
      const evaluate = async (decoder: SequenceDecoder): Promise<NeedleNumbers> => {
        decoder.useTable(tableFor(kept, methodOfPrompt(one)), one.tokens.length);
        const { numbers } = await evaluateNeedle(decoder, prompt, options);
        if (numbers === null) throw new Error('diverged');
        return numbers;
      };
      const [expected, found] = [await evaluate(kept), await evaluate(single)];
      if (expected.exactMatch) passing += 1;
      else {
        failing += 1;
        expect(found).toMatchObject({ entropy: null, generatedIds: null });
      }
      const unknown = expected.exactMatch ? {} : { entropy: null, generatedIds: null };
      worst = Math.max(worst, largestDifference(found, { ...expected, ...unknown }));
      await kept.dispose();
      await single.dispose();
    }
    console.log(`needle, single-shot against cached, ${passing} passing and ${failing} failing cells: largest difference ${worst.toExponential(1)}`);
    expect(Math.min(passing, failing)).toBeGreaterThan(0);
    expect(worst).toBeLessThan(TOLERANCE);
  });
});

describe('a decoder that keeps nothing', () => {
  let kept: Decoder;
  let single: SingleShotDecoder;
  beforeAll(async () => {
    kept = await openDecoder(starterFolder('base'));
    single = await singleShot(starterFolder('base'), true);
  });
  afterAll(async () => {
    await kept.dispose();
    await single.dispose();
  });
  const tokensOf = (count: number): Int32Array => Int32Array.from({ length: count }, (_, index) => (index * 7919 + 13) % 251);
  const table = () => tableFor(kept, { name: 'none' });

  it.each([2, LOSS_BLOCK_ROWS - 1, LOSS_BLOCK_ROWS, LOSS_BLOCK_ROWS + 1, 2 * LOSS_BLOCK_ROWS + 300])('has the losses of all of %i rows, whatever is left of a block', async (count) => {
    const tokens = tokensOf(count);
    const targets = tokensOf(count + 1).subarray(1);
    const losses = async (decoder: SequenceDecoder): Promise<readonly unknown[]> => {
      decoder.useTable(table(), count);
      return (await decoder.feed(tokens, { logitRows: count, targets })).rows;
    };
    expect(largestDifference(await losses(single), await losses(kept))).toBeLessThan(TOLERANCE);
  });

  it('gives perplexity its losses in one run a window', async () => {
    const length = 400;
    const document: ResolvedDocument = { id: 'd', name: 'd', tokens: length, source: { kind: 'absent' }, headIds: [], textDigest: null };
    const work = {
      task: { kind: 'perplexity', documents: [document], tokenizerDigest: 'none', windows: { kind: 'first' }, lastTokens: 16, buckets: null, contextTokens: [100, length] },
      cells: [100, length].map((contextTokens) => ({ key: id<CellKey>(String(contextTokens)), contextTokens, table: 0, axes: { document: 'd' } })),
    } as const;
    const losses = async (decoder: SequenceDecoder) => {
      const found: unknown[] = [];
      decoder.useTable(table(), length);
      const fedBefore = decoder.fedTokens;
      const emit = (result: CellResult): void => {
        if (!('perplexity' in result)) throw new Error(JSON.stringify(result));
        found.push(result.perplexity.nll);
      };
      await evaluatePerplexity(decoder, work, { documentTokens: () => Promise.resolve(tokensOf(length)), byteLength: null }, emit);
      return { found, fed: decoder.fedTokens - fedBefore };
    };
    const [ours, theirs] = [await losses(single), await losses(kept)];
    expect(largestDifference(ours.found, theirs.found)).toBeLessThan(TOLERANCE);
    expect(ours.fed).toBe(length - 1);
  });

  it('gives attention distributions', async () => {
    const golden = goldenModelFolder('mistral-window');
    const checkpoint = await openCheckpoint(golden);
    const [a, b] = [await SingleShotDecoder.open(checkpoint, { threads: 1, dtype: 'f32', distributions: true }), await Decoder.open(checkpoint, { threads: 1, dtype: 'f32', distributions: true })];
    const masses = async (decoder: SequenceDecoder) => {
      decoder.useTable(tableFor(b, { name: 'none' }), 90);
      const { massBelow } = await decoder.feed(tokensOf(90).map((token) => token % 90), { probeRows: 4, edges: Array.from({ length: 4 }, () => [0, 1, 45, 60, 90]) });
      return [...massBelow];
    };
    expect(largestDifference(await masses(a), await masses(b))).toBeLessThan(TOLERANCE);
    await a.dispose();
    await b.dispose();
  });

  it('shares nothing, and says so where it is asked to go on', async () => {
    single.useTable(table(), 64);
    await single.feed(tokensOf(32), { logitRows: 1 });
    expect(single.sharedWith()).toBe(0);
    expect(() => single.rewind(16)).toThrow(/keeps nothing between runs: 32 tokens cannot be rewound to 16/);
    await expect(single.feed(tokensOf(4))).rejects.toThrow(/cannot be continued/);
    single.rewind(0);
    await expect(single.feed(tokensOf(65))).rejects.toThrow(/65 tokens do not fit a capacity of 64/);
  });
});
