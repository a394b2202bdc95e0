/**
 * The needle task: one prompt -> one cell's numbers.
 *
 * Teacher forcing: the prompt ends with the expected answer (all of it but its last token, which is predicted, not fed),
 * so one pass gives exact greedy match (argmax equals the answer at every answer row), NLL and margins.
 * On a failing cell the rows after the first wrong token are conditioned on tokens the model did not produce; those
 * are decoded greedily afterwards, so that `entropy` is Algorithm 1's (Zhong et al., COLING 2025): for each generated
 * token, H = -sum p ln p of that step's attention row, averaged over the generated tokens, layers and heads.
 */
import { createHash } from 'node:crypto';
import { HEAD_PROBES, type HeadProbe, type NeedleNumbers } from '../domain/measurement.js';
import type { Prompt } from '../prompts/build.js';
import type { Decoder, FeedResult } from './decoder.js';

/** A cell whose logits or attention are not finite. */
export interface Diverged {
  readonly diverged: true;
}

export interface NeedleOptions {
  /** Whether numbers per layer and head are kept. */
  readonly heads: boolean;
}

type Probes = FeedResult['probes'];

/** Mean over layers and heads of one probe at one row; probes are [layers][heads][rows]. */
function meanAtRow(values: Float32Array, rows: number, row: number): number {
  const pairs = values.length / rows;
  let sum = 0;
  for (let pair = 0; pair < pairs; pair += 1) sum += values[pair * rows + row] ?? 0;
  return sum / pairs;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const allRows = (values: Float32Array, rows: number): number[] =>
  Array.from({ length: rows }, (_, row) => meanAtRow(values, rows, row));

/** [HEAD_PROBES][layers][heads] float32, little-endian, base64: the mean over rows of each probe. */
function packHeads(probes: Probes, rows: number): string {
  const source: Record<HeadProbe, Float32Array> = {
    entropy: probes.entropy,
    maxProbability: probes.maxProbability,
    sinkMass: probes.sinkMass,
    needleMass: probes.spanMass,
  };
  const pairs = probes.entropy.length / rows;
  const bytes = Buffer.alloc(HEAD_PROBES.length * pairs * 4);
  HEAD_PROBES.forEach((name, probe) => {
    for (let pair = 0; pair < pairs; pair += 1) {
      let sum = 0;
      for (let row = 0; row < rows; row += 1) sum += source[name][pair * rows + row] ?? 0;
      bytes.writeFloatLE(sum / rows, (probe * pairs + pair) * 4);
    }
  });
  return bytes.toString('base64');
}

/** SHA-256 over the token ids as 32-bit little-endian integers. */
export function tokenDigest(tokens: Int32Array): string {
  const bytes = Buffer.alloc(tokens.length * 4);
  tokens.forEach((token, index) => bytes.writeInt32LE(token, index * 4));
  return createHash('sha256').update(bytes).digest('hex');
}

/** A row's entropy and token while decoding greedily. */
interface GreedyStep {
  readonly token: number;
  readonly entropy: number;
}

/**
 * Decodes the rows after the first wrong one, feeding what the model generated.
 * @returns the steps from `firstWrong + 1` on, or null if a logit was not finite.
 */
async function completeGreedily(decoder: Decoder, prompt: Prompt, firstWrong: number, wrongToken: number): Promise<GreedyStep[] | null> {
  const answerRows = prompt.answerIds.length;
  const firstRow = prompt.tokens.length - answerRows;
  const steps: GreedyStep[] = [];
  let token = wrongToken;
  decoder.rewind(firstRow + firstWrong + 1);
  for (let row = firstWrong + 1; row < answerRows; row += 1) {
    const step = await decoder.feed([token], { logitRows: 1, probeRows: 1 });
    const [top] = step.rows;
    if (top === undefined || !step.finite) return null;
    token = top.top1;
    steps.push({ token, entropy: meanAtRow(step.probes.entropy, 1, 0) });
  }
  return steps;
}

/**
 * Evaluates one prompt on a decoder whose cache may hold a prefix of it.
 *
 * @param sharedTokens how much of the cache is a prefix of this prompt
 */
export async function evaluateNeedle(
  decoder: Decoder,
  prompt: Prompt,
  sharedTokens: number,
  options: NeedleOptions,
): Promise<NeedleNumbers | Diverged> {
  const contextTokens = prompt.tokens.length;
  const answerRows = prompt.answerIds.length;
  // The answer rows leave in one run, so the cache may not already be past them.
  decoder.rewind(Math.min(sharedTokens, contextTokens - answerRows, decoder.length));
  const { rows, probes, finite } = await decoder.feed(prompt.tokens.subarray(decoder.length), {
    logitRows: answerRows,
    targets: prompt.answerIds,
    probeRows: answerRows,
    span: prompt.needleSpan,
  });
  if (!finite) return { diverged: true };

  const top1Ids = rows.map((row) => row.top1);
  const firstWrong = top1Ids.findIndex((token, row) => token !== prompt.answerIds[row]);
  const entropies = allRows(probes.entropy, answerRows);
  let generatedIds: readonly number[] = prompt.answerIds;
  let generatedEntropies: readonly number[] = entropies;
  if (firstWrong >= 0) {
    const wrongToken = top1Ids[firstWrong] ?? 0;
    const steps = await completeGreedily(decoder, prompt, firstWrong, wrongToken);
    if (steps === null) return { diverged: true };
    generatedIds = [...prompt.answerIds.slice(0, firstWrong), wrongToken, ...steps.map((step) => step.token)];
    generatedEntropies = [...entropies.slice(0, firstWrong + 1), ...steps.map((step) => step.entropy)];
  }

  const needleTokens = prompt.needleSpan[1] - prompt.needleSpan[0];
  const needleMass = mean(allRows(probes.spanMass, answerRows));
  // Visible keys of answer row r: every position up to its own.
  const keys = entropies.map((_, row) => contextTokens - answerRows + row + 1);
  const uniformMass = mean(keys.map((n) => needleTokens / n));
  const nll = rows.map((row) => row.nll);
  return {
    exactMatch: firstWrong < 0,
    answerIds: prompt.answerIds,
    top1Ids,
    generatedIds,
    nll,
    sumNll: nll.reduce((sum, value) => sum + value, 0),
    tokenCount: answerRows,
    margins: rows.map((row) => row.margin),
    entropyFirst: entropies[0] ?? 0,
    entropy: mean(generatedEntropies),
    entropyTeacherForced: mean(entropies),
    entropyNormalized: mean(entropies.map((entropy, row) => entropy / Math.log(keys[row] ?? 1))),
    maxProbability: mean(allRows(probes.maxProbability, answerRows)),
    sinkMass: mean(allRows(probes.sinkMass, answerRows)),
    needleMass,
    needleLift: needleMass / uniformMass,
    heads: options.heads ? packHeads(probes, answerRows) : null,
    layers: decoder.layers,
    headCount: decoder.heads,
    needleStart: prompt.needleSpan[0],
    needleTokens,
    tokenDigest: tokenDigest(prompt.tokens),
  };
}
