/**
 * Entropy as Vega-Lite specifications: against context length, a line an arm below the bound ln n; and of passing against failing
 * cells within a length, a panel an arm.
 */
import type { TopLevelSpec } from 'vega-lite';
import type { ArmGrid } from '../aggregate.js';
import type { EntropyCurve } from '../entropyCurves.js';
import { CHART_CONFIG, LABEL_LIMIT, lengthTicks, series } from './chartLook.js';

const [WIDTH, HEIGHT] = [520, 260];
/** Pixels across, axis and legend included. */
export const ENTROPY_WIDTH = 900;

export function entropyByLengthSpec(curves: readonly EntropyCurve[]): TopLevelSpec {
  const names = curves.map(({ label }) => label);
  const { colour, dash, shape } = series(names);
  const values = curves.flatMap(({ label, points }) => points.map((point) => ({ arm: label, ...point })));
  const contexts = [...new Set(values.map(({ contextTokens }) => contextTokens))].sort((a, b) => a - b);
  const bound = contexts.map((contextTokens) => ({ contextTokens, entropy: Math.log(contextTokens) }));
  const x = { field: 'contextTokens', type: 'quantitative', scale: { type: 'log', nice: false }, axis: { title: 'context length, tokens', values: lengthTicks(contexts), format: 'd' } } as const;
  const y = { field: 'entropy', type: 'quantitative', axis: { title: 'mean attention entropy, nats', grid: true } } as const;
  return {
    background: 'transparent',
    padding: 4,
    width: WIDTH,
    height: HEIGHT,
    layer: [
      { data: { values: bound }, mark: { type: 'line', stroke: 'currentColor', strokeDash: [1.5, 3] }, encoding: { x, y } },
      { data: { values: bound.slice(-1).map((point) => ({ ...point, label: 'ln n' })) }, mark: { type: 'text', align: 'right', dy: -7, fontSize: 11, fill: 'currentColor' }, encoding: { x, y, text: { field: 'label' } } },
      {
        data: { values },
        mark: { type: 'line', strokeWidth: 2 },
        encoding: {
          x,
          y,
          color: { field: 'arm', type: 'nominal', scale: colour, legend: { title: null, labelLimit: LABEL_LIMIT } },
          strokeDash: { field: 'arm', type: 'nominal', scale: dash },
        },
      },
      {
        data: { values },
        mark: { type: 'point', size: 34, filled: true, opacity: 1 },
        encoding: { x, y, color: { field: 'arm', type: 'nominal', scale: colour }, shape: { field: 'arm', type: 'nominal', scale: shape, legend: { title: null, labelLimit: LABEL_LIMIT } } },
      },
    ],
    config: CHART_CONFIG,
  } as TopLevelSpec;
}

/** Lengths whose words fit below one panel; where there are more, each panel has its own. */
const SHARED_LENGTHS = 12;
const PANEL = { width: 160, height: 120, spacing: 34 } as const;
/** Of a letter of a title, as Vega reckons where there is no canvas to measure it on. */
const LETTER_WIDTH = 0.8 * CHART_CONFIG.header.labelFontSize;
const WIDEST = 1150;
const AXIS_WIDTH = 60;

/** Panels in a row, and the pixels that it takes: the longest title decides. */
export function splitLayout(titles: readonly string[]): { readonly columns: number; readonly width: number } {
  const longest = Math.max(...titles.map(({ length }) => length)) * LETTER_WIDTH;
  const pitch = Math.min(2 * PANEL.width, Math.max(PANEL.width, longest)) + PANEL.spacing;
  const columns = Math.max(1, Math.min(4, titles.length, Math.floor((WIDEST - AXIS_WIDTH) / pitch)));
  return { columns, width: Math.ceil(columns * pitch + AXIS_WIDTH) };
}

/** Arms that have lengths with passing and failing cells. */
export function entropySplitSpec(grids: readonly ArmGrid[], titleOf: (grid: ArmGrid) => string): TopLevelSpec {
  const values = grids.flatMap((grid) =>
    grid.entropySplits.flatMap(({ contextTokens, passing, failing }) => [
      { arm: titleOf(grid), contextTokens: String(contextTokens), outcome: 'passing', entropy: passing.mean },
      { arm: titleOf(grid), contextTokens: String(contextTokens), outcome: 'failing', entropy: failing.mean },
    ]),
  );
  const contexts = [...new Set(values.map(({ contextTokens }) => Number(contextTokens)))].sort((a, b) => a - b).map(String);
  const x = { field: 'contextTokens', type: 'ordinal', sort: contexts, axis: { title: null, labelAngle: contexts.length > 5 ? -50 : 0, labelOverlap: 'greedy' } } as const;
  const outcomes = ['passing', 'failing'];
  return {
    background: 'transparent',
    padding: 4,
    data: { values },
    facet: { field: 'arm', type: 'nominal', sort: grids.map(titleOf), header: { title: null, labelLimit: 2 * PANEL.width } },
    columns: splitLayout(grids.map(titleOf)).columns,
    spacing: { row: 18, column: PANEL.spacing },
    spec: {
      width: PANEL.width,
      height: PANEL.height,
      layer: [
        { mark: { type: 'line', stroke: 'currentColor', strokeOpacity: 0.4 }, encoding: { x, y: { field: 'entropy', type: 'quantitative' }, detail: { field: 'contextTokens' } } },
        {
          mark: { type: 'point', size: 46, filled: true, opacity: 1 },
          encoding: {
            x,
            y: { field: 'entropy', type: 'quantitative', scale: { zero: false }, axis: { title: 'entropy, nats', grid: true, tickCount: 4 } },
            color: { field: 'outcome', type: 'nominal', scale: { domain: outcomes, range: ['#4c78a8', '#e45756'] }, legend: { title: null, orient: 'bottom' } },
            shape: { field: 'outcome', type: 'nominal', scale: { domain: outcomes, range: ['circle', 'triangle-up'] }, legend: { title: null, orient: 'bottom' } },
          },
        },
      ],
    },
    resolve: { axis: { x: 'independent' }, scale: { x: contexts.length > SHARED_LENGTHS ? 'independent' : 'shared' } },
    config: CHART_CONFIG,
  };
}
