/** Mean attention distributions as curves over an axis of keys: per arm and length, axis by axis. */
import { groupBy } from '../domain/groupBy.js';
import type { ArmRow } from '../domain/rows.js';
import type { KeyAxis } from '../domain/taskSpec.js';
import type { MeanDistribution } from './attentionCells.js';
import type { AttentionTable } from './attentionRows.js';

export interface DistributionCurve extends Pick<MeanDistribution, 'bins' | 'points'> {
  readonly contextTokens: number;
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
    const distributions = ofArm.flatMap(({ arm, contextTokens, numbers }) => (numbers?.distributions ?? []).map((distribution) => ({ arm, contextTokens, ...distribution })));
    return [...groupBy(distributions, (distribution) => distribution.axis)].flatMap(([axis, own]) => {
      const [first] = own;
      return first === undefined ? [] : [{ arm: first.arm, task, axis, curves: own.map(({ contextTokens, bins, points }) => ({ contextTokens, bins, points })) }];
    });
  });
}
