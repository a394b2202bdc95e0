/** Figures of the findings as Vega-Lite specifications: divergence against reach, and AUROC with its interval an arm. */
import type { TopLevelSpec } from 'vega-lite';
import type { EntropyFailure } from '../statistics/entropyFailure.js';
import type { PatternReach } from '../statistics/patternReach.js';
import { CHART_CONFIG, LABEL_LIMIT, series } from './chartLook.js';

/** Pixels across, axis and legend included. */
export const SCATTER_WIDTH = 570;

/** Reaches are powers of two apart; one that is none stands below the shortest. */
export function scatterSpec({ points }: PatternReach): TopLevelSpec {
  const reached = points.flatMap(({ reachTokens }) => reachTokens ?? []);
  const none = Math.min(...reached, Infinity) === Infinity ? 1 : Math.min(...reached) / 2;
  const methods = [...new Set(points.map(({ arm }) => arm.methodLabel))];
  const { colour, shape } = series(methods);
  const ordered = [...points].sort((a, b) => (a.reachTokens ?? none) - (b.reachTokens ?? none) || a.divergence - b.divergence);
  const values = ordered.map(({ arm, divergence, reachTokens, isLongestTested, isReference }, at) => ({
    method: arm.methodLabel,
    divergence,
    reach: reachTokens ?? none,
    label: [isReference ? 'reference' : arm.continualPretrainContextTokens === null ? 'base' : String(arm.continualPretrainContextTokens), ...(isLongestTested ? ['≥'] : [])].join(' '),
    // Neighbours at one reach have their words at different heights.
    height: at % 3,
  }));
  const ticks = [...new Set(values.map(({ reach }) => reach))].sort((a, b) => a - b);
  const x = { field: 'divergence', type: 'quantitative', scale: { zero: true, nice: false, padding: 12 }, axis: { title: 'Jensen-Shannon divergence to the reference, nats', grid: true, tickCount: 6 } } as const;
  const y = {
    field: 'reach',
    type: 'quantitative',
    scale: { type: 'log', nice: false, padding: 14 },
    axis: { title: 'reach, tokens', grid: true, values: ticks, labelExpr: reached.length === points.length ? 'datum.value' : `datum.value === ${none} ? 'none' : datum.value` },
  } as const;
  return {
    background: 'transparent',
    padding: 4,
    width: 400,
    height: 260,
    data: { values },
    layer: [
      {
        mark: { type: 'point', size: 70, filled: true, opacity: 1 },
        encoding: {
          x,
          y,
          color: { field: 'method', type: 'nominal', scale: colour, legend: { title: 'method', labelLimit: 160 } },
          shape: { field: 'method', type: 'nominal', scale: shape, legend: { title: 'method', labelLimit: 160 } },
        },
      },
      ...[-11, 0, 11].map((dy, height) => ({
        data: { values: values.filter((value) => value.height === height) },
        mark: { type: 'text' as const, align: 'left' as const, dx: 7, dy, fontSize: 10, fill: 'currentColor' },
        encoding: { x, y, text: { field: 'label' } },
      })),
    ],
    config: CHART_CONFIG,
  } as TopLevelSpec;
}

/** Pixels across, labels included. */
export const FOREST_WIDTH = 780;

/** The comparison to quote, arm by arm; arms with too few cells are named and have no mark. */
export function forestSpec(failures: readonly EntropyFailure[]): TopLevelSpec {
  const rows = failures.flatMap(({ arm, comparisons }) => comparisons.filter(({ comparison }) => comparison === 'lengthAndDepth').map((one) => ({ arm: arm.label, ...one })));
  const values = rows.flatMap(({ arm, state, auroc, interval }) => (state === 'computed' && auroc !== null ? [{ arm, auroc, low: interval?.low ?? auroc, high: interval?.high ?? auroc }] : []));
  const few = rows.flatMap(({ arm, state }) => (state === 'tooFew' ? [{ arm, auroc: 0.02, label: 'too few' }] : []));
  const y = { field: 'arm', type: 'ordinal', sort: rows.map(({ arm }) => arm), axis: { title: null, labelLimit: LABEL_LIMIT }, scale: { domain: rows.map(({ arm }) => arm) } } as const;
  const scale = { domain: [0, 1] };
  const axis = { title: 'AUROC of entropy for failure, same length and depth', grid: true, values: [0, 0.25, 0.5, 0.75, 1], format: '.2f' };
  return {
    background: 'transparent',
    padding: 4,
    width: 400,
    height: 22 * Math.max(1, rows.length),
    layer: [
      { data: { values: [{ auroc: 0.5 }] }, mark: { type: 'rule', stroke: 'currentColor', strokeDash: [3, 3] }, encoding: { x: { field: 'auroc', type: 'quantitative', scale, axis } } },
      { data: { values }, mark: { type: 'rule', stroke: '#4c78a8', strokeWidth: 2 }, encoding: { y, x: { field: 'low', type: 'quantitative', scale, axis }, x2: { field: 'high' } } },
      { data: { values }, mark: { type: 'point', filled: true, size: 60, opacity: 1, color: '#4c78a8' }, encoding: { y, x: { field: 'auroc', type: 'quantitative', scale, axis } } },
      { data: { values: few }, mark: { type: 'text', align: 'left', fontSize: 10, fill: 'currentColor' }, encoding: { y, x: { field: 'auroc', type: 'quantitative', scale, axis }, text: { field: 'label' } } },
    ],
    config: CHART_CONFIG,
  };
}
