/**
 * Finding 2 of Zhong et al. (COLING 2025): retrieval failures coincide with high attention entropy. Per arm the AUROC of entropy
 * for failure (auroc.ts), with a permutation p and a bootstrap interval by seed.
 *
 * Three comparisons. `lengthAndDepth`: pairs of cells at the same context length and the same depth, which differ in their seed
 * alone: within length stratified by depth and within depth stratified by length are both this one, shown by length and by
 * depth. `length`, `depth`: the paper's own, pairs at the same length (whatever the depth), pairs at the same depth (whatever the
 * length). Entropy is bounded by ln n, so it grows with length by construction, and so does failure: beside the comparison by
 * depth stands the AUROC of the length alone, which a real effect has to exceed. p asks for all three whether entropy says
 * something beyond length and depth. p values of the arms of one comparison are adjusted after Holm.
 *
 * Cells that refinement chose by outcome are left out; those of the grid and of the audit are in. Diverged cells have no entropy.
 */
import { groupBy } from '../../domain/groupBy.js';
import { randomStream } from '../../domain/random.js';
import type { ArmRow } from '../../domain/rows.js';
import type { Interval } from '../../domain/wilson.js';
import type { NeedleCell } from '../needleCells.js';
import { auroc, comparable } from './auroc.js';
import { DRAWS, LEAST, type Draws } from './draws.js';
import type { EntropySource } from './entropySplit.js';
import { holm } from './holm.js';
import { seedBootstrap } from './seedBootstrap.js';
import { positionOf, seedsOf, type SeedCell } from './seedCells.js';
import { seedPermutation, type StratumOf } from './seedPermutation.js';
import { weightedAuroc } from './weightedAuroc.js';

export const COMPARISONS = ['lengthAndDepth', 'length', 'depth'] as const;
export type ComparisonName = (typeof COMPARISONS)[number];

const STRATA: { readonly [C in ComparisonName]: StratumOf } = {
  lengthAndDepth: positionOf,
  length: ({ contextTokens }) => contextTokens,
  depth: ({ depth }) => depth,
};

export interface EntropyComparison {
  readonly comparison: ComparisonName;
  /** tooFew: below five failing cells, five passing cells or five seeds that can be compared; then there is no p and no interval. */
  readonly state: 'computed' | 'tooFew';
  /** Cells that have a counterpart, seeds among them, pairs. */
  readonly failures: number;
  readonly passes: number;
  readonly seeds: number;
  readonly pairs: number;
  /** Share of pairs whose failing cell has the higher entropy; null without pairs. */
  readonly auroc: number | null;
  /** 95 %, by seed. */
  readonly interval: Interval | null;
  /** Two-sided, by seed. */
  readonly p: number | null;
  /** p after Holm over the arms of this comparison. */
  readonly adjustedP: number | null;
  /** AUROC of the context length in place of the entropy; 1/2 where pairs have one length. */
  readonly lengthAuroc: number | null;
}

/** Pairs of one length and depth, at one length or at one depth. */
export interface EntropyPart {
  /** Tokens, or a fraction 0..1. */
  readonly at: number;
  readonly failures: number;
  readonly passes: number;
  readonly pairs: number;
  readonly auroc: number | null;
}

export interface EntropyFailure {
  readonly arm: ArmRow;
  /** Index into the spec's tasks. */
  readonly task: number;
  readonly source: EntropySource;
  /** Measured cells that were looked at. */
  readonly cells: number;
  /** In the order of COMPARISONS. */
  readonly comparisons: readonly EntropyComparison[];
  /** Lengths and depths that have pairs. */
  readonly byLength: readonly EntropyPart[];
  readonly byDepth: readonly EntropyPart[];
}

export interface EntropyFailureInput {
  readonly arm: ArmRow;
  readonly task: number;
  readonly cells: Iterable<NeedleCell>;
}

/** `entropyFirst` of every arm; `entropy` beside it where every cell of the arm has one. */
export function entropyFailures(inputs: readonly EntropyFailureInput[], draws: Draws = DRAWS): EntropyFailure[] {
  const found = (['entropyFirst', 'entropy'] as const).flatMap((source) => inputs.flatMap((input) => armFailure(input, source, draws) ?? []));
  return [...groupBy(found, ({ task, source }) => `${task} ${source}`).values()].flatMap(adjusted);
}

function armFailure({ arm, task, cells }: EntropyFailureInput, source: EntropySource, draws: Draws): EntropyFailure | null {
  const measured = [...cells].flatMap(({ contextTokens, depth, seed, origin, needle }) => {
    if (origin === 'refine' || needle === null) return [];
    return [{ contextTokens, depth, seed, failed: needle.score < 1, value: source === 'entropy' ? needle.entropy : needle.entropyFirst }];
  });
  const own = measured.filter((cell): cell is SeedCell => cell.value !== null);
  if (own.length === 0 || own.length < measured.length) return null;
  const alike = comparable(own.map((cell) => ({ ...cell, stratum: positionOf(cell) })));
  return {
    arm,
    task,
    source,
    cells: own.length,
    comparisons: comparisonsOf(own, draws, `${arm.id} ${task} ${source}`),
    byLength: partsOf(alike, ({ contextTokens }) => contextTokens),
    byDepth: partsOf(alike, ({ depth }) => depth),
  };
}

function comparisonsOf(cells: readonly SeedCell[], { permutations, resamples, randomSeed }: Draws, name: string): EntropyComparison[] {
  const plain = COMPARISONS.map((comparison) => {
    const strata = STRATA[comparison];
    const inStrata = cells.map((cell) => ({ ...cell, stratum: strata(cell) }));
    const seeds = seedsOf(comparable(inStrata)).length;
    const { auroc: share, ...counts } = auroc(inStrata);
    const ofLength = (): number | null => auroc(inStrata.map((cell) => ({ ...cell, value: cell.contextTokens }))).auroc;
    // Pairs of one length tie.
    const lengthAuroc = comparison === 'depth' ? ofLength() : counts.pairs === 0 ? null : 0.5;
    const isEnough = counts.failures >= LEAST.failures && counts.passes >= LEAST.passes && seeds >= LEAST.seeds;
    return { comparison, strata, isEnough, seeds, auroc: share, lengthAuroc, ...counts };
  });
  const enough = plain.filter(({ isEnough }) => isEnough);
  const strata = enough.map((one) => one.strata);
  const ps = enough.length === 0 ? [] : seedPermutation(cells, strata, permutations, randomStream(`permutation ${name}`, randomSeed));
  const weighted = strata.map((one) => weightedAuroc(cells, one));
  const intervals = enough.length === 0 ? [] : seedBootstrap(seedsOf(cells).length, resamples, randomStream(`bootstrap ${name}`, randomSeed), (weights) => weighted.map((of) => of(weights)));
  return plain.map(({ comparison, failures, passes, seeds, pairs, auroc: share, lengthAuroc }) => {
    const at = enough.findIndex((one) => one.comparison === comparison);
    const p = ps[at] ?? null;
    const counts = { comparison, failures, passes, seeds, pairs, auroc: share, adjustedP: null, lengthAuroc };
    return p === null ? { ...counts, state: 'tooFew', interval: null, p } : { ...counts, state: 'computed', interval: intervals[at] ?? null, p };
  });
}

function partsOf(cells: readonly (SeedCell & { readonly stratum: string })[], of: (cell: SeedCell) => number): EntropyPart[] {
  return [...groupBy(cells, of)].sort(([a], [b]) => a - b).map(([at, own]) => ({ at, ...auroc(own) }));
}

/** Arms of one task and source: their p values adjusted, comparison by comparison. */
function adjusted(failures: readonly EntropyFailure[]): EntropyFailure[] {
  const ps = COMPARISONS.map((name) => {
    const computed = failures.flatMap(({ comparisons }, at) => comparisons.flatMap(({ comparison, p }) => (comparison === name && p !== null ? [{ at, p }] : [])));
    const values = holm(computed.map(({ p }) => p));
    return new Map(computed.map(({ at }, index) => [at, values[index] ?? null]));
  });
  return failures.map((failure, at) => ({
    ...failure,
    comparisons: failure.comparisons.map((comparison, index) => ({ ...comparison, adjustedP: ps[index]?.get(at) ?? null })),
  }));
}
