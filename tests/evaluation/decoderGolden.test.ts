/** Decoder and probes against another implementation in float64, and against known prompts of the starter models. */
import { describe, expect, it } from 'vitest';
import { methodSchema } from '../../domain/method.js';
import { Decoder } from '../../evaluation/decoder.js';
import { forwardPass } from '../../evaluation/forward.js';
import { openCheckpoint } from '../../model/checkpoint.js';
import { ropeTable } from '../../rope/method.js';
import { goldenJson, goldenModelFolder, goldenPrompts, methodOfPrompt, openDecoder, starterFolder, tableFor } from './fixtures.js';

interface GoldenCase {
  method: string;
  spec: { method: string } & Record<string, number | boolean>;
  logits: number[][];
  top1: number[];
  top1_uncertain: number[];
  nll: number[];
  /** [layers][heads][rows][entropy, max p, its position, p at key 0, p on the span, p on the last 10] */
  attention: number[][][][];
  max_position_uncertain: number[][];
}
interface GoldenForward {
  prompt: number[];
  rows: number;
  span: [number, number];
  cases: GoldenCase[];
}

const LOGIT_TOLERANCE = 3e-4;
const PROBABILITY_TOLERANCE = 1e-4;
const KNOWN = new Set(['none', 'pi', 'ntk', 'yarn']);

/** Keeps the largest of the differences it is shown; not-a-number counts as the largest. */
class Largest {
  value = 0;
  see = (ours: number | undefined, theirs: number | undefined): void => {
    const difference = Math.abs((ours ?? NaN) - (theirs ?? NaN));
    if (!(difference <= this.value)) this.value = difference;
  };
}

describe.each(['llama-gqa', 'llama-tied', 'llama-mha', 'llama-mqa'])('%s', (name) => {
  it('gives the golden logits, losses and attention under every method there is', async () => {
    const golden = (await goldenJson(`forward/${name}.json`)) as GoldenForward;
    const checkpoint = await openCheckpoint(goldenModelFolder(name));
    const decoder = await Decoder.open(checkpoint, { threads: 1, dtype: 'f32' });
    const cases = golden.cases.filter(({ spec }) => KNOWN.has(spec.method));
    expect(cases.length).toBeGreaterThanOrEqual(3);
    for (const expected of cases) {
      const { method, ...parameters } = expected.spec;
      const table = ropeTable(methodSchema.parse({ name: method, ...parameters }), checkpoint.geometry, 0);
      decoder.useTable(table, golden.prompt.length);
      const { top1, nll, last, finite } = await forwardPass(decoder, golden.prompt, golden.rows, golden.span);
      expect(finite).toBe(true);

      const [logits, losses, entropy, probability] = [new Largest(), new Largest(), new Largest(), new Largest()];
      expected.logits.forEach((row, index) => row.forEach((logit, token) => logits.see(last.rows[index]?.logits?.[token], logit)));
      expected.nll.forEach((loss, index) => losses.see(nll[index], loss));
      expect(nll).toHaveLength(expected.nll.length);
      top1.forEach((token, row) => {
        if (!expected.top1_uncertain.includes(row)) expect(token).toBe(expected.top1[row]);
      });
      const uncertain = new Set(expected.max_position_uncertain.map(String));
      expected.attention.forEach((heads, layer) => heads.forEach((rows, head) => rows.forEach(([h, maximum, position, sink, span], row) => {
        const index = (layer * heads.length + head) * rows.length + row;
        entropy.see(last.probes.entropy[index], h);
        probability.see(last.probes.maxProbability[index], maximum);
        probability.see(last.probes.sinkMass[index], sink);
        probability.see(last.probes.spanMass[index], span);
        if (!uncertain.has(String([layer, head, row]))) expect(last.probes.maxPosition[index]).toBe(position);
      })));
      console.log(`${name} ${expected.method}: largest differences: logits ${logits.value.toExponential(1)}, losses ${losses.value.toExponential(1)}, entropy ${entropy.value.toExponential(1)}, probabilities ${probability.value.toExponential(1)}`);
      expect(logits.value).toBeLessThan(LOGIT_TOLERANCE);
      expect(losses.value).toBeLessThan(LOGIT_TOLERANCE);
      expect(entropy.value).toBeLessThan(LOGIT_TOLERANCE);
      expect(probability.value).toBeLessThan(PROBABILITY_TOLERANCE);
    }
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
        span: [prompt.needleStart, prompt.needleStart + prompt.needleTokens],
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
