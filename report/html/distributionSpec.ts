/**
 * Attention distributions of one arm as a Vega-Lite specification: a panel a context length, x the axis of keys, y the mass of a bin
 * (logarithmic), a line for the mean over heads and a band from the smallest to the largest head.
 */
import type { TopLevelSpec } from 'vega-lite';
import type { KeyAxis } from '../../domain/taskSpec.js';
import type { DistributionChart, DistributionCurve } from '../attentionDistributions.js';
import { CHART_CONFIG } from './chartLook.js';

const [WIDTH, HEIGHT] = [150, 110];
const MOST_PANELS = 4;
/** Pixels across, axes included. */
export const distributionWidth = (curves: number): number => Math.min(MOST_PANELS, curves) * (WIDTH + 22) + 60;

/** Smaller masses are drawn here: a logarithm has no place for 0. */
export const LEAST_MASS = 1e-5;

export const AXIS_TITLES: { readonly [A in KeyAxis]: string } = {
  fraction: 'key, share of the context; key 0 at the left edge',
  index: 'key, position',
  distance: 'bin of distance, counted back from the query',
};

/** Lengths that have a panel: the shortest and the longest, and others evenly between. */
export function shownCurves(curves: readonly DistributionCurve[]): DistributionCurve[] {
  if (curves.length <= MOST_PANELS) return [...curves];
  const at = Array.from({ length: MOST_PANELS }, (_, panel) => Math.round((panel * (curves.length - 1)) / (MOST_PANELS - 1)));
  return at.flatMap((index) => curves[index] ?? []);
}

/** Key 0 has a bin of its own on `fraction`. */
const place = (axis: KeyAxis, bin: number, bins: number): number => (axis === 'fraction' ? Math.max(0, bin - 0.5) / (bins - 1) : bin);

export function distributionSpec({ axis, curves }: DistributionChart): TopLevelSpec {
  const drawn = (mass: number): number => Math.max(LEAST_MASS, Number(mass.toPrecision(4)));
  const values = shownCurves(curves).flatMap(({ contextTokens, bins, points }) =>
    points.map(({ bin, mass, least, most }) => ({
      contextTokens,
      key: place(axis, bin, bins),
      mass: drawn(mass),
      ...(least === null || most === null ? {} : { least: drawn(least), most: drawn(most) }),
    })),
  );
  const hasHeads = values.every((value) => 'least' in value);
  const x = { field: 'key', type: 'quantitative', axis: { title: null, tickCount: 3, ...(axis === 'fraction' && { format: '.0%' }) } } as const;
  const scale = { type: 'log' as const, domain: [LEAST_MASS, 1], nice: false };
  const y = { type: 'quantitative' as const, scale, axis: { title: 'mass of a bin', grid: true, format: '~g', values: [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1] } };
  return {
    background: 'transparent',
    padding: 4,
    data: { values },
    facet: { column: { field: 'contextTokens', type: 'ordinal', header: { title: AXIS_TITLES[axis], titleOrient: 'bottom', titlePadding: 4, labelExpr: "datum.value + ' tokens'" } } },
    spacing: 22,
    spec: {
      width: WIDTH,
      height: HEIGHT,
      layer: [
        ...(hasHeads ? [{ mark: { type: 'area', color: '#4c78a8', opacity: 0.28 }, encoding: { x, y: { ...y, field: 'least' }, y2: { field: 'most' } } }] : []),
        { mark: { type: 'line', color: '#e45756', strokeWidth: 1.6 }, encoding: { x, y: { ...y, field: 'mass' } } },
      ],
    },
    config: CHART_CONFIG,
  } as TopLevelSpec;
}
