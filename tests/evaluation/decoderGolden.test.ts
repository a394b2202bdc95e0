/** Decoder and probes against another implementation in float64, and against known prompts of the starter models. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Decoder } from '../../evaluation/decoder.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { asFloat32 } from '../../model/weightCache.js';
import { bitsOf, goldenModelFolder, goldenPrompts, methodOfPrompt, openDecoder, starterFolder, tableFor } from './fixtures.js';
import { differences, GOLDEN_MODELS, goldenForward, KINDS, Largest, LOGIT_TOLERANCE, Overall, PROBABILITY_TOLERANCE } from './goldenForward.js';

describe('the decoder', () => {
  const overall = new Overall();
  let cache = '';
  beforeAll(async () => {
    cache = await mkdtemp(path.join(tmpdir(), 'ropesweep-golden-'));
  });
  afterAll(async () => {
    await rm(cache, { recursive: true });
    console.log(`${GOLDEN_MODELS.length} models, ${overall.toString()}`);
  });

  it.each(GOLDEN_MODELS)('gives the golden logits, losses and attention of %s under every method', async (name) => {
    const golden = await goldenForward(name);
    const checkpoint = await asFloat32(await openCheckpoint(goldenModelFolder(name)), { folder: cache, limitBytes: 1e9 });
    const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
    for (const expected of golden.cases) {
      const found = await differences(decoder, golden, expected);
      overall.see(found);
      for (const kind of KINDS) expect(found[kind]).toBeLessThan(kind === 'probabilities' ? PROBABILITY_TOLERANCE : LOGIT_TOLERANCE);
    }
    await decoder.dispose();
  });

  it.each(GOLDEN_MODELS)('gives the same bits of %s in chunks of any size', async (name) => {
    const { prompt, cases: [first], rows, span } = await goldenForward(name);
    if (first === undefined) throw new Error(name);
    const checkpoint = await asFloat32(await openCheckpoint(goldenModelFolder(name)), { folder: cache, limitBytes: 1e9 });
    const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
    // Longer than any window and than the default chunk.
    const tokens = Array.from({ length: 5 }, () => prompt).flat();
    const table = { inverseFrequencies: first.inv_freq, attentionFactor: first.attention_factor };
    const fed = async (chunkTokens?: number): Promise<string> => {
      decoder.useTable(table, tokens.length);
      const options = { logitRows: rows, targets: tokens.slice(-rows), keepLogits: true, probeRows: rows, spans: [span], ...(chunkTokens !== undefined && { chunkTokens }) };
      return bitsOf(await decoder.feed(tokens, options));
    };
    const whole = await fed();
    for (const chunkTokens of [2, 7, 31, 64, tokens.length]) expect(await fed(chunkTokens)).toBe(whole);
    await decoder.dispose();
  });
});

describe('the starter models', () => {
  it('answer the golden prompts as recorded, with the recorded entropy and needle mass of every head', async () => {
    const [heads, losses] = [new Largest(), new Largest()];
    for (const prompt of await goldenPrompts()) {
      const decoder = await openDecoder(starterFolder(prompt.checkpoint));
      decoder.useTable(tableFor(decoder, methodOfPrompt(prompt)), prompt.inputTokens);
      const rows = prompt.answer.length;
      const result = await decoder.feed(prompt.tokens.slice(0, prompt.inputTokens), {
        logitRows: rows,
        targets: prompt.answer,
        probeRows: rows,
        spans: [[prompt.needleStart, prompt.needleStart + prompt.needleTokens]],
      });
      expect(result.rows.every((row, index) => row.top1 === prompt.answer[index])).toBe(prompt.exactMatch === 1);
      losses.see(result.rows.reduce((sum, row) => sum + row.nll, 0) / rows, prompt.meanAnswerNll);
      prompt.entropyNatsAndNeedleMassByLayerHead.forEach(([entropy, needleMass], pair) => {
        const mean = (probe: Float32Array) => probe.subarray(pair * rows, (pair + 1) * rows).reduce((sum, value) => sum + value, 0) / rows;
        heads.see(mean(result.probes.entropy), entropy);
        heads.see(mean(result.probes.spanMass), needleMass);
      });
      await decoder.dispose();
    }
    console.log(`starter prompts: largest differences: entropy and needle mass ${heads.value.toExponential(1)}, mean NLL ${losses.value.toExponential(1)}`);
    expect(heads.value).toBeLessThan(1e-4);
    expect(losses.value).toBeLessThan(3e-4);
  });
});
