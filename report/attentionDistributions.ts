/**
 * Mean attention distributions as curves over an axis of keys: per arm and length the mean over layers and heads, and the smallest
 * and largest of single heads where heads are stored.
 */
import { groupBy } from '../domain/groupBy.js';
import type { AttentionDistribution } from '../domain/measurement.js';
import type { ArmRow } from '../domain/rows.js';
import type { KeyAxis } from '../domain/taskSpec.js';
import { floats, type AttentionTable } from './attentionRows.js';

/** Points of a curve at most; more bins are taken together in groups of equal size. */
const MOST_POINTS = 129;

export interface DistributionPoint {
  /** Bin, from 0; of a group its first. */
  readonly bin: number;
  /** Mass of a bin, mean over layers and heads; of a group the mean of its bins. */
  readonly mass: number;
  /** Of single heads; null where they are not stored. */
  readonly least: number | null;
  readonly most: number | null;
}

export interface DistributionCurve {
  readonly contextTokens: number;
  readonly bins: number;
  readonly points: readonly DistributionPoint[];
}

/** Curves of one arm on one axis. */
export interface DistributionChart {
  readonly arm: ArmRow;
  readonly task: number;
  readonly axis: KeyAxis;
  /** Ascending by length. */
  readonly curves: readonly DistributionCurve[];
}

/** Arms in the order of the spec, axes in that of the task; one without numbers has none. */
export function distributionCharts({ task, rows }: AttentionTable): DistributionChart[] {
  return [...groupBy(rows, ({ arm }) => arm.id).values()].flatMap((ofArm) => {
    const distributions = ofArm.flatMap(({ arm, contextTokens, numbers }) => (numbers?.distributions ?? []).map((distribution) => ({ arm, contextTokens, distribution })));
    return [...groupBy(distributions, ({ distribution }) => distribution.axis)].flatMap(([axis, own]) => {
      const [first] = own;
      return first === undefined ? [] : [{ arm: first.arm, task, axis, curves: own.map(({ contextTokens, distribution }) => curve(contextTokens, distribution)) }];
    });
  });
}

function curve(contextTokens: number, { bins, mean, heads }: AttentionDistribution): DistributionCurve {
  const own = heads === null ? null : floats(heads);
  const group = Math.ceil(bins / MOST_POINTS);
  const points = Array.from({ length: Math.ceil(bins / group) }, (_, index): DistributionPoint => {
    const [from, to] = [index * group, Math.min(bins, (index + 1) * group)];
    const meanOf = (masses: ArrayLike<number>, offset: number): number => {
      let sum = 0;
      for (let bin = from; bin < to; bin += 1) sum += masses[offset + bin] ?? 0;
      return sum / (to - from);
    };
    let [least, most] = [Infinity, -Infinity];
    for (let offset = 0; own !== null && offset < own.length; offset += bins) {
      const mass = meanOf(own, offset);
      [least, most] = [Math.min(least, mass), Math.max(most, mass)];
    }
    return { bin: from, mass: meanOf(mean, 0), ...(own === null ? { least: null, most: null } : { least, most }) };
  });
  return { contextTokens, bins, points };
}
