/**
 * Perplexity by context length as a Vega-Lite specification: one line an arm, both axes logarithmic where the values spread;
 * a dotted line at each L0. Text has the colour of the page around it (currentColor).
 */
import type { TopLevelSpec } from 'vega-lite';
import type { PerplexityChart } from '../perplexityCurves.js';
import { CHART_CONFIG, LABEL_LIMIT, lengthTicks, series } from './chartLook.js';

const [WIDTH, HEIGHT] = [560, 300];
/** Pixels across, axis and legend included: how wide a place in the page the chart needs. */
export const CHART_WIDTH = 940;

/** The largest perplexity over the smallest from which the axis is logarithmic: a method that breaks down hides the others. */
const LOG_SPREAD = 3;

export function perplexitySpec({ contexts, curves }: PerplexityChart): TopLevelSpec {
  const values = curves.flatMap(({ arm, points }) =>
    points.flatMap(({ contextTokens, perplexity }) => (perplexity === null ? [] : [{ contextTokens, perplexity, arm: arm.label }])),
  );
  const labels = curves.map(({ arm }) => arm.label);
  const shown = values.map(({ perplexity }) => perplexity);
  const yType = Math.max(...shown) > LOG_SPREAD * Math.min(...shown) ? 'log' : 'linear';
  const originals = [...new Set(curves.map(({ arm }) => arm.originalContextTokens))].filter((tokens) => tokens >= (contexts[0] ?? 0) && tokens <= (contexts.at(-1) ?? 0));
  const x = { field: 'contextTokens', type: 'quantitative', scale: { type: 'log', nice: false } } as const;
  const { colour, dash } = series(labels);
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
          x: { ...x, axis: { title: 'context length, tokens', values: lengthTicks(contexts), format: 'd' } },
          y: { field: 'perplexity', type: 'quantitative', scale: yType === 'log' ? { type: yType } : { type: yType, zero: false }, axis: { title: 'perplexity', grid: true, format: '~g' } },
          color: { field: 'arm', type: 'nominal', scale: colour, legend: { title: null, labelLimit: LABEL_LIMIT, symbolType: 'stroke' } },
          strokeDash: { field: 'arm', type: 'nominal', scale: dash },
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
    config: CHART_CONFIG,
  } as TopLevelSpec;
}
