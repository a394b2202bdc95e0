/** Decoder and probes against another implementation in float64, and against known prompts of the starter models. */
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Decoder } from '../../evaluation/decoder.js';
import { forwardPass } from '../../evaluation/forward.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { asFloat32 } from '../../model/f32Cache.js';
import { bitsOf, goldenJson, goldenModelFolder, goldenPrompts, methodOfPrompt, openDecoder, starterFolder, tableFor } from './fixtures.js';

interface GoldenCase {
  method: string;
  /** The table that the numbers were computed with, float64. */
  inv_freq: number[];
  attention_factor: number;
  logits: number[][];
  top1: number[];
  top1_uncertain: number[];
  nll: number[];
  /** [layers][heads][rows][entropy, max p, its position, p at key 0, p on the span, p on the last 10] */
  attention: number[][][][];
  max_position_uncertain: number[][];
  /** [rows] */
  entropy_of_mean: number[];
}
interface GoldenForward {
  prompt: number[];
  rows: number;
  span: [number, number];
  cases: GoldenCase[];
}

/** Tolerances of the golden numbers' README; the differences printed are far below. */
const LOGIT_TOLERANCE = 3e-4;
const PROBABILITY_TOLERANCE = 1e-4;
const MODELS = readdirSync(goldenModelFolder('')).sort();

/** Keeps the largest of the differences it is shown; not-a-number counts as the largest. */
class Largest {
  value = 0;
  see = (ours: number | undefined, theirs: number | undefined): void => {
    const difference = Math.abs((ours ?? NaN) - (theirs ?? NaN));
    if (!(difference <= this.value)) this.value = difference;
  };
}

describe('the decoder', () => {
  const overall = { cases: 0, logits: 0, losses: 0, entropy: 0, probabilities: 0 };
  let cache = '';
  beforeAll(async () => {
    cache = await mkdtemp(path.join(tmpdir(), 'ropesweep-golden-'));
  });
  afterAll(async () => {
    await rm(cache, { recursive: true });
    console.log(`${overall.cases} golden cases of ${MODELS.length} models: largest differences: ${(['logits', 'losses', 'entropy', 'probabilities'] as const).map((kind) => `${kind} ${overall[kind].toExponential(1)}`).join(', ')}`);
  });

  it.each(MODELS)('gives the golden logits, losses and attention of %s under every method', async (name) => {
    const golden = (await goldenJson(`forward/${name}.json`)) as GoldenForward;
    const checkpoint = await asFloat32(await openCheckpoint(goldenModelFolder(name)), { folder: cache, limitBytes: 1e9 });
    const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
    for (const expected of golden.cases) {
      decoder.useTable({ inverseFrequencies: expected.inv_freq, attentionFactor: expected.attention_factor }, golden.prompt.length);
      const { top1, nll, last, finite } = await forwardPass(decoder, golden.prompt, golden.rows, { spans: [golden.span], localTokens: 10 });
      expect(finite).toBe(true);

      const [logits, losses, entropy, probability] = [new Largest(), new Largest(), new Largest(), new Largest()];
      expected.logits.forEach((row, index) => row.forEach((logit, token) => logits.see(last.rows[index]?.logits?.[token], logit)));
      expected.entropy_of_mean.forEach((h, row) => entropy.see(last.probes.entropyOfMean[row], h));
      expected.nll.forEach((loss, index) => losses.see(nll[index], loss));
      expect(nll).toHaveLength(expected.nll.length);
      top1.forEach((token, row) => {
        if (!expected.top1_uncertain.includes(row)) expect(token).toBe(expected.top1[row]);
      });
      const uncertain = new Set(expected.max_position_uncertain.map(String));
      expected.attention.forEach((heads, layer) => heads.forEach((rows, head) => rows.forEach(([h, maximum, position, sink, span, last10], row) => {
        const index = (layer * heads.length + head) * rows.length + row;
        entropy.see(last.probes.entropy[index], h);
        probability.see(last.probes.maxProbability[index], maximum);
        probability.see(last.probes.sinkMass[index], sink);
        probability.see(last.probes.spanMass[index], span);
        probability.see(last.probes.localMass[index], last10);
        if (!uncertain.has(String([layer, head, row]))) expect(last.probes.maxPosition[index]).toBe(position);
      })));
      expect(logits.value).toBeLessThan(LOGIT_TOLERANCE);
      expect(losses.value).toBeLessThan(LOGIT_TOLERANCE);
      expect(entropy.value).toBeLessThan(LOGIT_TOLERANCE);
      expect(probability.value).toBeLessThan(PROBABILITY_TOLERANCE);
      overall.cases += 1;
      for (const [kind, largest] of [['logits', logits], ['losses', losses], ['entropy', entropy], ['probabilities', probability]] as const) overall[kind] = Math.max(overall[kind], largest.value);
    }
    await decoder.dispose();
  });

  it.each(MODELS)('gives the same bits of %s in chunks of any size', async (name) => {
    const { prompt, cases: [first], rows, span } = (await goldenJson(`forward/${name}.json`)) as GoldenForward;
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
