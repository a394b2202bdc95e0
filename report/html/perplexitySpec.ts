/**
 * Perplexity by context length as a Vega-Lite specification: one line an arm, both axes logarithmic where the values spread;
 * a dotted line at each L0. Text has the colour of the page around it (currentColor).
 */
import type { TopLevelSpec } from 'vega-lite';
import type { PerplexityChart } from '../perplexityCurves.js';
import { FONT } from './svg.js';

const [WIDTH, HEIGHT] = [560, 300];
/** Pixels across, axis and legend included: how wide a place in the page the chart needs. */
export const CHART_WIDTH = 860;

/** The largest perplexity over the smallest from which the axis is logarithmic: a method that breaks down hides the others. */
const LOG_SPREAD = 3;

/** Tableau 10, then dashes: colours that are told apart on light and on dark paper. */
const COLOURS = ['#4c78a8', '#f58518', '#e45756', '#72b7b2', '#54a24b', '#b79a20', '#b279a2', '#ff9da6', '#9d755d', '#8a8380'];
const DASHES = [[1, 0], [6, 3], [2, 2]];

/** Where x has its ticks: the tested lengths, thinned out where they crowd. */
function ticks(contexts: readonly number[]): number[] {
  const kept: number[] = [];
  for (const context of contexts) {
    if (context >= 1.35 * (kept.at(-1) ?? 0)) kept.push(context);
  }
  return kept;
}

export function perplexitySpec({ contexts, curves }: PerplexityChart): TopLevelSpec {
  const values = curves.flatMap(({ arm, points }) =>
    points.flatMap(({ contextTokens, perplexity }) => (perplexity === null ? [] : [{ contextTokens, perplexity, arm: arm.label }])),
  );
  const labels = curves.map(({ arm }) => arm.label);
  const shown = values.map(({ perplexity }) => perplexity);
  const yType = Math.max(...shown) > LOG_SPREAD * Math.min(...shown) ? 'log' : 'linear';
  const originals = [...new Set(curves.map(({ arm }) => arm.originalContextTokens))].filter((tokens) => tokens >= (contexts[0] ?? 0) && tokens <= (contexts.at(-1) ?? 0));
  const x = { field: 'contextTokens', type: 'quantitative', scale: { type: 'log', nice: false } } as const;
  const domain = { domain: labels };
  return {
    background: 'transparent',
    padding: 4,
    width: WIDTH,
    height: HEIGHT,
    layer: [
      {
        data: { values },
        mark: { type: 'line', point: { size: 30, filled: true }, strokeWidth: 2 },
        encoding: {
          x: { ...x, axis: { title: 'context length, tokens', values: ticks(contexts), format: 'd' } },
          y: { field: 'perplexity', type: 'quantitative', scale: yType === 'log' ? { type: yType } : { type: yType, zero: false }, axis: { title: 'perplexity', grid: true, format: '~g' } },
          color: { field: 'arm', type: 'nominal', scale: { ...domain, range: labels.map((_, at) => COLOURS[at % COLOURS.length]) }, legend: { title: null, labelLimit: 230, symbolType: 'stroke' } },
          strokeDash: { field: 'arm', type: 'nominal', scale: { ...domain, range: labels.map((_, at) => DASHES[Math.floor(at / COLOURS.length) % DASHES.length]) } },
        },
      },
      {
        data: { values: originals.map((contextTokens) => ({ contextTokens, label: `L0 ${contextTokens}` })) },
        mark: { type: 'rule', stroke: 'currentColor', strokeWidth: 1.5, strokeDash: [1.5, 3] },
        encoding: { x },
      },
      {
        data: { values: originals.map((contextTokens) => ({ contextTokens, label: `L0 ${contextTokens}` })) },
        mark: { type: 'text', align: 'left', dx: 4, baseline: 'top', fontSize: 11, fill: 'currentColor' },
        encoding: { x, y: { value: 2 }, text: { field: 'label' } },
      },
    ],
    config: {
      aria: false,
      mark: { invalid: 'show' },
      font: FONT,
      view: { stroke: null },
      axis: { labelColor: 'currentColor', titleColor: 'currentColor', titleFontWeight: 'normal', labelFontSize: 11, titleFontSize: 11, ticks: false, domain: false, grid: false, gridColor: 'currentColor', gridOpacity: 0.12, labelPadding: 5 },
      legend: { labelColor: 'currentColor', titleColor: 'currentColor', labelFontSize: 11 },
    },
  } as TopLevelSpec;
}
