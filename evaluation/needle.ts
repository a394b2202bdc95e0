/**
 * The needle task: one prompt -> one cell's numbers.
 *
 * Teacher forcing: the prompt ends with the expected answer (all of it but its last token, which is predicted, not fed),
 * so one pass gives exact greedy match (argmax equals the answer at every answer row), NLL and margins.
 * On a failing cell the rows after the first wrong token are conditioned on tokens the model did not produce; those
 * are decoded greedily afterwards, so that `entropy` is Algorithm 1's (Zhong et al., COLING 2025): for each generated
 * token, H = -sum p ln p of that step's attention row, averaged over the generated tokens, layers and heads.
 */
import { HEAD_PROBES, type HeadProbe, type NeedleNumbers } from '../domain/measurement.js';
import { scoreNeedle } from '../domain/scoring.js';
import type { Prompt, Span } from '../prompts/build.js';
import type { AnswerRow, FeedResult } from './decoder.js';
import { decodeGreedily } from './greedy.js';
import { byHead, byRow, mean, packFloats } from './probeMeans.js';
import type { SequenceDecoder } from './sequenceDecoder.js';
import { tokenDigest } from './tokenDigest.js';
import { normalizedEntropies, visibleKeys } from './visibleKeys.js';

export interface EvaluatedNeedle {
  /** null where logits or attention are not finite: the cell has diverged. */
  readonly numbers: NeedleNumbers | null;
  /** Tokens fed while decoding greedily. */
  readonly completionTokens: number;
}

/** What turns generated ids into text; null for models whose tokens are no text. */
export interface AnswerText {
  readonly decode: (ids: readonly number[]) => string;
  readonly endTokens: ReadonlySet<number>;
}

export interface NeedleOptions {
  /** Whether numbers per layer and head are kept. */
  readonly heads: boolean;
  /** Width of the window of localMass. */
  readonly localTokens: number;
  /** Tokens to decode greedily after the question; 0: as many as the answer has, where the cell fails. */
  readonly generateTokens: number;
  readonly text: AnswerText | null;
}

type Probes = FeedResult['probes'];

/**
 * Evaluates one prompt on a decoder that may hold a prefix of it.
 * The decoder needs room for the prompt and for `generateTokens` besides.
 */
export async function evaluateNeedle(decoder: SequenceDecoder, prompt: Prompt, options: NeedleOptions): Promise<EvaluatedNeedle> {
  const contextTokens = prompt.tokens.length;
  const answerRows = prompt.answerIds.length;
  // The answer rows leave in one run, so the decoder may not already be past them.
  decoder.rewind(Math.min(decoder.sharedWith(prompt.tokens), contextTokens - answerRows));
  const { rows, probes, finite } = await decoder.feed(prompt.tokens.subarray(decoder.length), {
    logitRows: answerRows,
    targets: prompt.answerIds,
    probeRows: answerRows,
    spans: prompt.needleSpans,
    localTokens: options.localTokens,
  });
  if (!finite) return { numbers: null, completionTokens: 0 };
  const top1Ids = rows.map((row) => row.top1);
  const entropies = byRow(probes.entropy, answerRows);
  const fedBefore = decoder.fedTokens;
  const generated = decoder.keepsKv ? await generate(decoder, prompt, top1Ids, entropies, options) : whatTeacherForcingTells(prompt, top1Ids, entropies);
  const completionTokens = decoder.fedTokens - fedBefore;
  if (generated === null) return { numbers: null, completionTokens };
  const raw = { ...answered(prompt, rows), ...generated };
  const numbers = { ...raw, ...scoreNeedle(raw), ...attended(decoder, prompt, probes, top1Ids, options), tokenDigest: tokenDigest(prompt.tokens) };
  return { numbers, completionTokens };
}

function answered(prompt: Prompt, rows: readonly AnswerRow[]) {
  return {
    answerIds: prompt.answerIds,
    answers: prompt.answers,
    top1Ids: rows.map((row) => row.top1),
    nll: rows.map((row) => row.nll),
    margins: rows.map((row) => row.margin),
  };
}

type Generated = Pick<NeedleNumbers, 'generatedIds' | 'generatedText' | 'entropy'>;

const firstWrongRow = ({ answerIds }: Prompt, top1Ids: readonly number[]): number => top1Ids.findIndex((token, row) => token !== answerIds[row]);

/** Where nothing can be decoded greedily: a passing cell generates its answer, of a failing one nobody knows. */
function whatTeacherForcingTells(prompt: Prompt, top1Ids: readonly number[], entropies: readonly number[]): Generated {
  const passes = firstWrongRow(prompt, top1Ids) < 0;
  return { generatedIds: passes ? prompt.answerIds : null, entropy: passes ? mean(entropies) : null, generatedText: null };
}

/**
 * What greedy decoding prints: the argmaxes up to the first wrong one, then as many as the answer has, and where longer
 * text is asked for more of them. Rows beyond the answer's length do not enter the entropy.
 *
 * @param entropies [answer rows] teacher-forced
 * @returns null if a number was not finite
 */
async function generate(decoder: SequenceDecoder, prompt: Prompt, top1Ids: readonly number[], entropies: readonly number[], options: NeedleOptions): Promise<Generated | null> {
  const { generateTokens, text } = options;
  const answerRows = prompt.answerIds.length;
  const endTokens = text?.endTokens ?? NO_TOKENS;
  const wrong = firstWrongRow(prompt, top1Ids);
  const ids = top1Ids.slice(0, wrong < 0 ? answerRows : wrong + 1);
  const ownEntropies = entropies.slice(0, ids.length);
  const contextTokens = prompt.tokens.length;
  decoder.rewind(contextTokens - answerRows + ids.length);
  const further = async (tokens: number, probed: boolean) => decodeGreedily(decoder, ids.at(-1) ?? 0, { tokens, endTokens, probed });

  const completed = await further(answerRows - ids.length, true);
  if (completed === null) return null;
  for (const { token, probes } of completed) {
    ids.push(token);
    ownEntropies.push(...byRow(probes.entropy, 1));
  }
  if (generateTokens > ids.length) {
    const longer = await further(generateTokens - ids.length, false);
    if (longer === null) return null;
    ids.push(...longer.map(({ token }) => token));
  }
  return {
    generatedIds: ids,
    entropy: mean(ownEntropies),
    generatedText: generateTokens > 0 && text !== null ? text.decode(ids) : null,
  };
}

const NO_TOKENS: ReadonlySet<number> = new Set();

/** Probes of the teacher-forced rows. */
function attended(decoder: SequenceDecoder, prompt: Prompt, probes: Probes, top1Ids: readonly number[], { heads, localTokens }: NeedleOptions) {
  const { config } = decoder.checkpoint;
  const { rows } = probes;
  const firstRow = prompt.tokens.length - rows;
  const entropies = byRow(probes.entropy, rows);
  const needleMass = mean(byRow(probes.spanMass, rows));
  const uniformMass = uniformNeedleMass(decoder, prompt, rows);
  const retrieval = retrieved(probes, prompt, top1Ids);
  const byProbe: Record<HeadProbe, ArrayLike<number>> = {
    entropy: probes.entropy,
    maxProbability: probes.maxProbability,
    sinkMass: probes.sinkMass,
    sinkMass4: probes.sinkMass4,
    localMass: probes.localMass,
    needleMass: probes.spanMass,
    retrieval,
  };
  const over = (values: ArrayLike<number>): number => mean(byRow(values, rows));
  return {
    entropyFirst: entropies[0] ?? 0,
    entropyTeacherForced: mean(entropies),
    entropyOfMean: mean([...probes.entropyOfMean]),
    entropyNormalized: over(normalizedEntropies(config, probes.entropy, rows, firstRow)),
    maxProbability: over(probes.maxProbability),
    sinkMass: over(probes.sinkMass),
    sinkMass4: over(probes.sinkMass4),
    localMass: over(probes.localMass),
    localTokens,
    needleMass,
    // A needle that no row sees (all layers have windows) has nothing to be compared with.
    needleLift: uniformMass === 0 ? 0 : needleMass / uniformMass,
    retrievalScore: over(retrieval),
    heads: heads ? packFloats(HEAD_PROBES.flatMap((name) => byHead(byProbe[name], rows))) : null,
    layers: config.layers,
    headCount: config.heads,
    needleStart: Math.min(...prompt.needleSpans.map(([start]) => start)),
    needleTokens: prompt.needleSpans.reduce((sum, [start, end]) => sum + end - start, 0),
  };
}

/** What uniform attention over the visible keys would put on the needle, mean over layers and rows. */
function uniformNeedleMass({ checkpoint }: SequenceDecoder, { tokens, needleSpans }: Prompt, rows: number): number {
  const masses: number[] = [];
  for (let layer = 0; layer < checkpoint.config.layers; layer += 1) {
    for (let position = tokens.length - rows; position < tokens.length; position += 1) {
      const keys = visibleKeys(checkpoint.config, layer, position);
      const seen = needleSpans.reduce((sum, [start, end]) => sum + Math.max(0, end - Math.max(start, position + 1 - keys)), 0);
      masses.push(seen / keys);
    }
  }
  return mean(masses);
}

const within = (spans: readonly Span[], position: number): boolean => spans.some(([start, end]) => position >= start && position < end);

/** [layers][heads][rows] 1 where the most attended key lies in the needle and holds the token that the row predicts. */
function retrieved({ maxPosition, rows }: Probes, { tokens, needleSpans }: Prompt, top1Ids: readonly number[]): number[] {
  return Array.from(maxPosition, (position, index) => (within(needleSpans, position) && tokens[position] === top1Ids[index % rows] ? 1 : 0));
}
