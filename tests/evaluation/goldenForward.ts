/** The golden numbers of a forward pass, and how far a decoder is from them. */
import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { forwardPass } from '../../evaluation/forward.js';
import type { SequenceDecoder } from '../../evaluation/sequenceDecoder.js';
import { goldenJson, goldenModelFolder } from './fixtures.js';

export interface GoldenCase {
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
export interface GoldenForward {
  prompt: number[];
  rows: number;
  span: [number, number];
  cases: GoldenCase[];
}

/** Tolerances of the golden numbers' README; the differences printed are far below. */
export const LOGIT_TOLERANCE = 3e-4;
export const PROBABILITY_TOLERANCE = 1e-4;
export const GOLDEN_MODELS = readdirSync(goldenModelFolder('')).sort();

/** Keeps the largest of the differences it is shown; not-a-number counts as the largest. */
export class Largest {
  value = 0;
  see = (ours: number | undefined, theirs: number | undefined): void => {
    const difference = Math.abs((ours ?? NaN) - (theirs ?? NaN));
    if (!(difference <= this.value)) this.value = difference;
  };
}

export const KINDS = ['logits', 'losses', 'entropy', 'probabilities'] as const;
/** The largest of each kind. */
export type Differences = Record<(typeof KINDS)[number], number>;

export const goldenForward = async (name: string): Promise<GoldenForward> => (await goldenJson(`forward/${name}.json`)) as GoldenForward;

/**
 * One case under its own table.
 * @param compareArgmaxes false where numbers are too coarse for it
 */
export async function differences(decoder: SequenceDecoder, golden: GoldenForward, expected: GoldenCase, compareArgmaxes = true): Promise<Differences> {
  decoder.useTable({ inverseFrequencies: expected.inv_freq, attentionFactor: expected.attention_factor }, golden.prompt.length);
  const { top1, nll, last, finite } = await forwardPass(decoder, golden.prompt, golden.rows, { spans: [golden.span], localTokens: 10 });
  expect(finite).toBe(true);
  const [logits, losses, entropy, probability] = [new Largest(), new Largest(), new Largest(), new Largest()];
  expected.logits.forEach((row, index) => row.forEach((logit, token) => logits.see(last.rows[index]?.logits?.[token], logit)));
  expected.entropy_of_mean.forEach((h, row) => entropy.see(last.probes.entropyOfMean[row], h));
  expected.nll.forEach((loss, index) => losses.see(nll[index], loss));
  expect(nll).toHaveLength(expected.nll.length);
  top1.forEach((token, row) => {
    if (compareArgmaxes && !expected.top1_uncertain.includes(row)) expect(token).toBe(expected.top1[row]);
  });
  const uncertain = new Set(expected.max_position_uncertain.map(String));
  expected.attention.forEach((heads, layer) => heads.forEach((rows, head) => rows.forEach(([h, maximum, position, sink, span, last10], row) => {
    const index = (layer * heads.length + head) * rows.length + row;
    entropy.see(last.probes.entropy[index], h);
    probability.see(last.probes.maxProbability[index], maximum);
    probability.see(last.probes.sinkMass[index], sink);
    probability.see(last.probes.spanMass[index], span);
    probability.see(last.probes.localMass[index], last10);
    if (compareArgmaxes && !uncertain.has(String([layer, head, row]))) expect(last.probes.maxPosition[index]).toBe(position);
  })));
  return { logits: logits.value, losses: losses.value, entropy: entropy.value, probabilities: probability.value };
}

/** Keeps the largest of each kind over many cases. */
export class Overall {
  cases = 0;
  readonly largest: Differences = { logits: 0, losses: 0, entropy: 0, probabilities: 0 };

  see(found: Differences): void {
    this.cases += 1;
    for (const kind of KINDS) this.largest[kind] = Math.max(this.largest[kind], found[kind]);
  }

  toString(): string {
    return `${this.cases} golden cases: largest differences: ${KINDS.map((kind) => `${kind} ${this.largest[kind].toExponential(1)}`).join(', ')}`;
  }
}
