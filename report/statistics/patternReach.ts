/**
 * Finding 1 of Zhong et al. (COLING 2025): keeping the attention pattern of the pretrained length improves extrapolation. A scatter
 * of arms: the Jensen-Shannon divergence of an arm's attention to a reference (domain/divergence.ts), against its reach.
 *
 *     x = JS(attention of the arm at a length, attention of the reference arm at its length), nats, 0 to ln 2
 *     y = reach in tokens (reach.ts)
 *
 * One scatter a measured length; the one at L0, the trained length, is the finding itself. Arms of one family share weights and
 * methods, so they are no sample of anything: n and Spearman's rank correlation are given, and no p. The reference itself, whose
 * divergence is 0 whatever it does, is shown and not counted. An arm whose shortest tested length fails reaches 0.
 */
import { groupBy } from '../../domain/groupBy.js';
import type { ArmRow } from '../../domain/rows.js';
import type { KeyAxis } from '../../domain/taskSpec.js';
import type { ArmGrid } from '../aggregate.js';
import type { AttentionDivergence } from '../attentionCells.js';
import type { AttentionTable } from '../attentionRows.js';
import { rankCorrelation } from './rankCorrelation.js';

/** Arms below which there is no rank correlation. */
export const LEAST_ARMS = 5;

export interface PatternPoint {
  readonly arm: ArmRow;
  /** JS in nats. */
  readonly divergence: number;
  /** Tokens; null where the shortest tested length is below 90 % recall. */
  readonly reachTokens: number | null;
  /** No longer context was tested: the reach may be longer. */
  readonly isLongestTested: boolean;
  /** The arm and length that the others are compared to. */
  readonly isReference: boolean;
}

export interface PatternReach {
  /** Indices into the spec's tasks. */
  readonly attentionTask: number;
  readonly needleTask: number;
  readonly axis: KeyAxis;
  /** `none at 2048`. */
  readonly reference: string;
  readonly contextTokens: number;
  /** Whether contextTokens is L0 of all its arms. */
  readonly isTrainedLength: boolean;
  /** Whether divergences are means over heads; else they are of the mean over heads. */
  readonly ofHeads: boolean;
  readonly points: readonly PatternPoint[];
  /** Arms without the reference. */
  readonly n: number;
  /** -1: the nearer the pattern, the longer the reach; null below five arms, or where all reach equally far. */
  readonly rankCorrelation: number | null;
}

/** One scatter a needle task, attention task, reference, axis and length that has an arm in both tasks. */
export function patternReaches(grids: readonly ArmGrid[], tables: readonly AttentionTable[]): PatternReach[] {
  return [...groupBy(grids, ({ task }) => task)].flatMap(([needleTask, own]) => {
    const gridOf = new Map(own.filter(({ recalls }) => recalls.some(({ n }) => n > 0)).map((grid) => [grid.arm.id, grid]));
    return tables.flatMap(({ task: attentionTask, rows }) => {
      const compared = rows.flatMap(({ arm, contextTokens, divergences }) => {
        const grid = gridOf.get(arm.id);
        return grid === undefined ? [] : divergences.map((divergence) => ({ arm, contextTokens, grid, divergence }));
      });
      return [...groupBy(compared, ({ contextTokens, divergence: { axis, reference } }) => JSON.stringify([reference, axis, contextTokens])).values()].flatMap((alike) =>
        scatter(alike, { needleTask, attentionTask }),
      );
    });
  });
}

interface Compared {
  readonly arm: ArmRow;
  readonly contextTokens: number;
  readonly grid: ArmGrid;
  readonly divergence: AttentionDivergence;
}

function scatter(compared: readonly Compared[], tasks: Pick<PatternReach, 'needleTask' | 'attentionTask'>): PatternReach[] {
  const [first] = compared;
  if (first === undefined) return [];
  // One kind of number in one scatter.
  const ofHeads = compared.every(({ divergence }) => divergence.meanOfHeads !== null);
  const points = compared.flatMap(({ arm, grid: { reach }, divergence }): PatternPoint[] => {
    const value = ofHeads ? divergence.meanOfHeads : divergence.ofMean;
    if (value === null) return [];
    return [{ arm, divergence: value, reachTokens: reach?.contextTokens ?? null, isLongestTested: reach?.isLongestTested ?? false, isReference: divergence.isReference }];
  });
  if (points.length === 0) return [];
  const others = points.filter(({ isReference }) => !isReference);
  const { contextTokens, divergence } = first;
  return [{
    ...tasks,
    axis: divergence.axis,
    reference: divergence.reference,
    contextTokens,
    isTrainedLength: compared.every(({ arm }) => arm.originalContextTokens === contextTokens),
    ofHeads,
    points,
    n: others.length,
    rankCorrelation: others.length < LEAST_ARMS ? null : rankCorrelation(others.map((point) => point.divergence), others.map(({ reachTokens }) => reachTokens ?? 0)),
  }];
}
