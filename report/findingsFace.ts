/** The findings in words that a reader can quote, the same in the terminal and in the HTML report. */
import type { Findings } from './findings.js';
import { depthPercent, plural } from './labels.js';
import { NOTHING } from './armSummary.js';
import { LEAST } from './statistics/draws.js';
import type { ComparisonName, EntropyComparison, EntropyFailure, EntropyPart } from './statistics/entropyFailure.js';
import { LEAST_ARMS, type PatternReach } from './statistics/patternReach.js';
import type { EntropyDifference, PretrainedCheckpoint, PretrainStep } from './statistics/pretrainLength.js';
import type { Interval } from '../domain/wilson.js';

const SIGNIFICANT = 0.05;
/** Rank correlations weaker than this are called no clear order. */
const CLEAR = 0.5;

export const FINDING_TITLES = {
  patternReach: 'Finding 1: does keeping the attention pattern go with a longer reach?',
  entropyFailure: 'Finding 2: do failures coincide with high attention entropy?',
  pretrainLength: 'Finding 3: does longer continual pretraining lower entropy and reach further?',
} as const;

export const SOURCE_WORDS = { entropyFirst: 'entropy of the first answer row', entropy: 'entropy over the generated answer (Algorithm 1)' } as const;

export const COMPARISON_WORDS: { readonly [C in ComparisonName]: string } = {
  lengthAndDepth: 'same length and depth',
  length: 'same length, any depth',
  depth: 'same depth, any length',
};

export const shareText = (share: number | null): string => (share === null ? NOTHING : share.toFixed(2));
export const intervalText = (interval: Interval | null, decimals = 2): string => (interval === null ? NOTHING : `${interval.low.toFixed(decimals)} to ${interval.high.toFixed(decimals)}`);
/** Never 0: `0.0002`. */
export const pText = (p: number | null): string => (p === null ? NOTHING : p < 0.001 ? p.toFixed(4) : p.toFixed(3));
const signed = (value: number): string => (value > 0 ? `+${value.toFixed(3)}` : value.toFixed(3));

export function patternSentence({ contextTokens, isTrainedLength, n, reference, rankCorrelation, points }: PatternReach): string {
  const where = isTrainedLength ? `At the trained length (${contextTokens} tokens)` : `At ${contextTokens} tokens`;
  const arms = `${plural(n, 'arm')} beside the reference (${reference})`;
  if (n < LEAST_ARMS) return `${where}: ${arms}, too few for an order (${LEAST_ARMS} are needed).`;
  if (rankCorrelation === null) return `${where}: ${arms}; ${new Set(points.map(({ reachTokens }) => reachTokens)).size < 2 ? 'all reach equally far' : 'all diverge equally'}, so there is no order.`;
  const order =
    rankCorrelation <= -CLEAR ? 'the nearer the attention pattern to the reference, the longer the reach' : rankCorrelation >= CLEAR ? 'the nearer the attention pattern to the reference, the shorter the reach' : 'no clear order of pattern and reach';
  return `${where}: ${order} (Spearman's rank correlation ${rankCorrelation.toFixed(2)}, ${arms}; arms are no random sample, so no p).`;
}

/** What the arms say together, of one task and entropy. */
export function failureSentence(failures: readonly EntropyFailure[]): string {
  const quoted = failures.flatMap(({ comparisons }) => comparisons.filter(({ comparison }) => comparison === 'lengthAndDepth'));
  const few = quoted.filter(({ state }) => state === 'tooFew').length;
  const computed = quoted.filter(({ state }) => state === 'computed');
  const significant = computed.filter(({ adjustedP }) => (adjustedP ?? 1) <= SIGNIFICANT);
  const higher = significant.filter(({ auroc }) => (auroc ?? 0) > 0.5).length;
  const lower = significant.length - higher;
  const tooFew = `too few in ${few === quoted.length ? (few === 1 ? 'the arm' : `all ${few} arms`) : `${few} of ${plural(quoted.length, 'arm')}`} (fewer than ${LEAST.failures} failing cells, ${LEAST.passes} passing cells or ${LEAST.seeds} seeds that can be compared)`;
  if (computed.length === 0) return `At the same length and depth: ${tooFew}.`;
  const parts = [
    `failing cells have the higher entropy in ${higher} of ${plural(computed.length, 'arm')} (p at most ${SIGNIFICANT} after Holm)`,
    ...(lower > 0 ? [`the lower entropy in ${lower}`] : []),
    ...(computed.length > significant.length ? [`no difference shown in ${computed.length - significant.length}`] : []),
    ...(few > 0 ? [tooFew] : []),
  ];
  return `At the same length and depth: ${parts.join('; ')}.`;
}

/** `0.83 (0.71 to 0.92)`; marked where too few cells can be compared. */
export const aurocText = ({ state, auroc, interval }: EntropyComparison): string =>
  auroc === null ? NOTHING : state === 'tooFew' ? `too few (${shareText(auroc)})` : `${shareText(auroc)} (${intervalText(interval)})`;

export const countsText = ({ failures, passes, seeds }: Pick<EntropyComparison, 'failures' | 'passes' | 'seeds'>): string => `${failures} / ${passes} / ${seeds}`;

/** `256: 0.80 of 25`; depths in per cent. */
export const partText = ({ at, auroc, pairs }: EntropyPart, isDepth: boolean): string => `${isDepth ? `${depthPercent(at)} %` : at}: ${shareText(auroc)} of ${plural(pairs, 'pair')}`;

const TOKENS_WORDS: { readonly [T in PretrainStep['tokens']]: string } = {
  equal: 'equal tokens',
  unequal: 'not at equal tokens, so length and amount of training are confounded',
  unknown: 'tokens not told by the checkpoints',
};
const tokensText = ({ tokens }: PretrainStep): string => TOKENS_WORDS[tokens];

export const spreadText = ({ spread, seeds }: PretrainStep): string =>
  spread === 'trainingSeeds' ? `${plural(seeds, 'training seed')}, smallest to largest` : `evaluation noise only, ${plural(seeds, 'seed')}`;

/** Reaches by training seed. */
export const reachesText = (checkpoints: readonly PretrainedCheckpoint[]): string =>
  checkpoints.map(({ reach }) => (reach === null ? NOTHING : `${reach.isLongestTested ? '>= ' : ''}${reach.contextTokens}`)).join(', ');

/** `-0.285 (-0.401 to -0.112)` */
export const differenceText = (difference: EntropyDifference | null): string =>
  difference === null ? NOTHING : `${signed(difference.difference)} (${difference.interval === null ? 'too few seeds' : `${signed(difference.interval.low)} to ${signed(difference.interval.high)}`})`;

export function pretrainSentence(step: PretrainStep): string {
  const { methodLabel, shorterTokens, longerTokens, shorter, longer, overall } = step;
  const what = `${methodLabel} continued at ${longerTokens} against ${shorterTokens} (${tokensText(step)})`;
  if (overall === null) return `${what}: no cell that both have measured.`;
  const { difference, interval, cells } = overall;
  const verdict = interval === null ? '' : interval.low > 0 || interval.high < 0 ? '' : ', which shows no difference';
  const range = interval === null ? 'no interval: too few seeds' : `interval ${signed(interval.low)} to ${signed(interval.high)}`;
  return `${what}: mean entropy differs by ${signed(difference)} nats (${range}; ${plural(cells, 'cell')}; ${spreadText(step)})${verdict}; reach ${reachesText(longer)} against ${reachesText(shorter)} tokens.`;
}

/** How the numbers came about. */
export const drawsText = ({ draws: { permutations, resamples, randomSeed } }: Findings): string =>
  `p: ${permutations.toLocaleString('en-US')} exchanges of whole seeds; intervals: ${resamples} draws of whole seeds; random seed ${randomSeed}.`;
