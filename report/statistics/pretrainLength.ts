/**
 * Finding 3 of Zhong et al. (COLING 2025): longer continual pretraining, on equally many tokens, lowers attention entropy and reaches
 * further. For each method, every continual-pretrain length against the next longer one.
 *
 *     d = mean over cells c of H_longer(c) - H_shorter(c), nats
 *
 * over the cells (context length, depth, seed) that all compared checkpoints have measured: of each length, and of all together.
 * Below 0: the longer one has the lower entropy.
 *
 * What an interval of d spans depends on what there is. `trainingSeeds`: each side has checkpoints of two or more training seeds;
 * one d for each seed that both sides have, their mean, and the smallest and largest of them, which hold the median of such d with
 * probability 1 - 2^(1-k) for k seeds (order statistics: W. J. Conover, Practical Nonparametric Statistics (1999), section 3.2).
 * `evaluationOnly`: one checkpoint a side; a bootstrap by evaluation seed (seedBootstrap.ts), which spans evaluation noise and says
 * nothing of what another training run would give.
 *
 * Tokens are equal where all checkpoints say how many they saw (training.json) and differ by at most 5 %.
 */
import { groupBy } from '../../domain/groupBy.js';
import { randomStream } from '../../domain/random.js';
import type { ArmRow } from '../../domain/rows.js';
import type { Interval } from '../../domain/wilson.js';
import type { ArmGrid } from '../aggregate.js';
import type { NeedleCell } from '../needleCells.js';
import { DRAWS, LEAST, type Draws } from './draws.js';
import type { EntropySource } from './entropySplit.js';
import type { Reach } from './reach.js';
import { seedBootstrap } from './seedBootstrap.js';

/** How far numbers of tokens may lie apart and still be called equal. */
const EQUAL_TOKENS = 0.05;

export interface PretrainedCheckpoint {
  readonly arm: ArmRow;
  readonly reach: Reach | null;
}

export interface EntropyDifference {
  /** null: all lengths together. */
  readonly contextTokens: number | null;
  /** Mean entropies in nats over the cells that both sides have. */
  readonly shorter: number;
  readonly longer: number;
  /** longer - shorter. */
  readonly difference: number;
  readonly interval: Interval | null;
  /** Cells of each checkpoint. */
  readonly cells: number;
}

export interface PretrainStep {
  readonly methodLabel: string;
  /** Index into the spec's tasks. */
  readonly task: number;
  readonly shorterTokens: number;
  readonly longerTokens: number;
  /** By training seed where there are several. */
  readonly shorter: readonly PretrainedCheckpoint[];
  readonly longer: readonly PretrainedCheckpoint[];
  /** Whether both sides saw equally many tokens of continual pretraining. */
  readonly tokens: 'equal' | 'unequal' | 'unknown';
  readonly spread: 'trainingSeeds' | 'evaluationOnly';
  /** Training seeds that both sides have, or evaluation seeds. */
  readonly seeds: number;
  readonly source: EntropySource;
  /** Of all lengths together; null without a cell that both have. */
  readonly overall: EntropyDifference | null;
  /** By context length, ascending. */
  readonly byLength: readonly EntropyDifference[];
}

interface Continued {
  readonly grid: ArmGrid;
  readonly continuedAt: number;
}
interface Trained extends Continued {
  readonly cells: ReadonlyMap<string, Measured>;
}
interface Measured {
  readonly contextTokens: number;
  readonly seed: number;
  readonly entropy: number | null;
  readonly entropyFirst: number;
}

/** @param cellsOf needle cells of an arm under a task */
export function pretrainSteps(grids: readonly ArmGrid[], cellsOf: (grid: ArmGrid) => Iterable<NeedleCell>, draws: Draws = DRAWS): PretrainStep[] {
  const baseOf = new Map(grids.flatMap(({ arm }) => (arm.continualPretrainContextTokens === null ? [[arm.model, arm.weightsId] as const] : [])));
  const trained = grids.flatMap((grid): Continued[] => {
    const continuedAt = grid.arm.continualPretrainContextTokens;
    return continuedAt === null ? [] : [{ grid, continuedAt }];
  });
  const families = groupBy(trained, ({ grid: { arm, task } }) => JSON.stringify([task, arm.methodLabel, baseOf.get(arm.model) ?? arm.model]));
  return [...families.values()]
    .flatMap((family) => (hasDistinctSeeds(family) ? [family] : [...groupBy(family, ({ grid }) => grid.arm.model).values()]))
    .flatMap((family) => {
      const sides = [...groupBy(family, ({ continuedAt }) => continuedAt).values()].sort((a, b) => (a[0]?.continuedAt ?? 0) - (b[0]?.continuedAt ?? 0));
      // Cells of two lengths at a time: those of all arms would be the whole sweep.
      const opened = (side: readonly Continued[]): Trained[] => side.map((one) => ({ ...one, cells: measuredCells(cellsOf(one.grid)) }));
      return sides.slice(1).flatMap((longer, at) => step(opened(sides[at] ?? []), opened(longer), draws));
    });
}

const measuredCells = (cells: Iterable<NeedleCell>): Map<string, Measured> =>
  new Map(
    [...cells].flatMap(({ contextTokens, depth, seed, origin, needle }) =>
      origin === 'refine' || needle === null ? [] : [[`${contextTokens}/${depth}/${seed}`, { contextTokens, seed, entropy: needle.entropy, entropyFirst: needle.entropyFirst }] as const],
    ),
  );

/** Whether checkpoints of one length are told apart by their training seed. */
const hasDistinctSeeds = (family: readonly Continued[]): boolean =>
  [...groupBy(family, ({ continuedAt }) => continuedAt).values()].every((same) => same.length === 1 || new Set(same.map(trainingSeed)).size === same.length && !same.some((one) => trainingSeed(one) === null));

const trainingSeed = ({ grid }: Continued): number | null => grid.arm.training?.seed ?? null;

function step(shorter: readonly Trained[], longer: readonly Trained[], draws: Draws): PretrainStep[] {
  const [first] = shorter;
  const [second] = longer;
  if (first === undefined || second === undefined) return [];
  const all = [...shorter, ...longer];
  const common = [...first.cells.keys()].filter((key) => all.every(({ cells }) => cells.has(key)));
  const source: EntropySource = all.every(({ cells }) => common.every((key) => cells.get(key)?.entropy != null)) ? 'entropy' : 'entropyFirst';
  const shared = shorter.map(trainingSeed).filter((seed) => seed !== null && longer.some((one) => trainingSeed(one) === seed));
  const bySeed = shorter.length > 1 && longer.length > 1 && shared.length > 1;
  const compared: Compared = { shorter, longer, source, common };
  const evaluationSeeds = [...new Set(common.map((key) => first.cells.get(key)?.seed ?? NaN))];
  const differences = bySeed ? bySeeds(compared, shared) : byEvaluation(compared, evaluationSeeds, draws);
  const { grid } = first;
  return [{
    methodLabel: grid.arm.methodLabel,
    task: grid.task,
    shorterTokens: first.continuedAt,
    longerTokens: second.continuedAt,
    shorter: checkpoints(shorter),
    longer: checkpoints(longer),
    tokens: tokensOf(all),
    spread: bySeed ? 'trainingSeeds' : 'evaluationOnly',
    seeds: bySeed ? shared.length : evaluationSeeds.length,
    source,
    overall: differences.find(({ contextTokens }) => contextTokens === null) ?? null,
    byLength: differences.filter(({ contextTokens }) => contextTokens !== null),
  }];
}

const checkpoints = (side: readonly Trained[]): PretrainedCheckpoint[] =>
  [...side].sort((a, b) => (trainingSeed(a) ?? 0) - (trainingSeed(b) ?? 0)).map(({ grid: { arm, reach } }) => ({ arm, reach }));

function tokensOf(all: readonly Trained[]): PretrainStep['tokens'] {
  const tokens = all.flatMap(({ grid }) => grid.arm.training?.tokens ?? []);
  if (tokens.length < all.length) return 'unknown';
  return Math.max(...tokens) <= (1 + EQUAL_TOKENS) * Math.min(...tokens) ? 'equal' : 'unequal';
}

interface Compared {
  readonly shorter: readonly Trained[];
  readonly longer: readonly Trained[];
  readonly source: EntropySource;
  /** Keys of the cells that all have. */
  readonly common: readonly string[];
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** All lengths, then each; the keys of their cells. */
function parts({ shorter, common }: Compared): (readonly [contextTokens: number | null, keys: readonly string[]])[] {
  if (common.length === 0) return [];
  const cells = shorter[0]?.cells;
  const byLength = [...groupBy(common, (key) => cells?.get(key)?.contextTokens ?? NaN)].sort(([a], [b]) => a - b);
  return [[null, common], ...byLength];
}

const entropyOf = ({ cells }: Trained, key: string, source: EntropySource): number => cells.get(key)?.[source] ?? NaN;
const meanOf = (one: Trained, keys: readonly string[], source: EntropySource): number => mean(keys.map((key) => entropyOf(one, key, source)));

function bySeeds(compared: Compared, seeds: readonly (number | null)[]): EntropyDifference[] {
  const { shorter, longer, source } = compared;
  return parts(compared).map(([contextTokens, keys]) => {
    const ofSeed = (side: readonly Trained[], seed: number | null): number => mean(side.filter((one) => trainingSeed(one) === seed).map((one) => meanOf(one, keys, source)));
    const pairs = seeds.map((seed) => ({ shorter: ofSeed(shorter, seed), longer: ofSeed(longer, seed) }));
    const differences = pairs.map((pair) => pair.longer - pair.shorter);
    return {
      contextTokens,
      shorter: mean(pairs.map((pair) => pair.shorter)),
      longer: mean(pairs.map((pair) => pair.longer)),
      difference: mean(differences),
      interval: { low: Math.min(...differences), high: Math.max(...differences) },
      cells: keys.length,
    };
  });
}

function byEvaluation(compared: Compared, seeds: readonly number[], { resamples, randomSeed }: Draws): EntropyDifference[] {
  const { shorter, longer, source } = compared;
  const [one, other] = [shorter[0], longer[0]];
  if (one === undefined || other === undefined) return [];
  const own = parts(compared);
  const place = new Map(seeds.map((seed, at) => [seed, at]));
  // Sum of differences and number of cells of each seed.
  const sums = own.map(([, keys]) => {
    const bySeed = seeds.map(() => ({ sum: 0, n: 0 }));
    for (const key of keys) {
      const cell = bySeed[place.get(one.cells.get(key)?.seed ?? NaN) ?? -1];
      if (cell === undefined) continue;
      cell.sum += entropyOf(other, key, source) - entropyOf(one, key, source);
      cell.n += 1;
    }
    return bySeed;
  });
  const intervals =
    seeds.length < LEAST.seeds
      ? []
      : seedBootstrap(seeds.length, resamples, randomStream(`pretrain length ${one.grid.arm.id} ${other.grid.arm.id} ${one.grid.task}`, randomSeed), (weights) =>
          sums.map((bySeed) => {
            const drawn = bySeed.reduce((total, { sum, n }, at) => ({ sum: total.sum + (weights[at] ?? 0) * sum, n: total.n + (weights[at] ?? 0) * n }), { sum: 0, n: 0 });
            return drawn.n === 0 ? null : drawn.sum / drawn.n;
          }),
        );
  return own.map(([contextTokens, keys], at) => {
    const [low, high] = [meanOf(one, keys, source), meanOf(other, keys, source)];
    return { contextTokens, shorter: low, longer: high, difference: high - low, interval: intervals[at] ?? null, cells: keys.length };
  });
}
