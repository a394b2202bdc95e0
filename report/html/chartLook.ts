/** The look that charts share: colours, dashes and shapes of series, axes and legends. Text has the colour of the page around it. */
import { FONT } from './svg.js';

/** Tableau 10, then dashes: colours that are told apart on light and on dark paper. */
const COLOURS = ['#4c78a8', '#f58518', '#e45756', '#72b7b2', '#54a24b', '#b79a20', '#b279a2', '#ff9da6', '#9d755d', '#8a8380'];
const DASHES = [[1, 0], [6, 3], [2, 2]];
/** As different as colours, for those who see none. */
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down', 'triangle-right', 'triangle-left'];

/** Scales that give each name its colour, dash and shape. */
export function series(names: readonly string[]) {
  const scale = <Value>(values: readonly Value[], turn: number) => ({ domain: names, range: names.map((_, at) => values[Math.floor(at / turn) % values.length]) });
  return { colour: scale(COLOURS, 1), dash: scale(DASHES, COLOURS.length), shape: scale(SHAPES, 1) };
}

/** Pixels of a name in a legend or on an axis as Vega reckons them, which is too many: 35 letters. */
export const LABEL_LIMIT = 310;

const TEXT = { labelColor: 'currentColor', titleColor: 'currentColor', titleFontWeight: 'normal', labelFontSize: 11, titleFontSize: 11 } as const;

export const CHART_CONFIG = {
  aria: false,
  mark: { invalid: 'show' },
  font: FONT,
  view: { stroke: null },
  axis: { ...TEXT, ticks: false, domain: false, grid: false, gridColor: 'currentColor', gridOpacity: 0.12, labelPadding: 5 },
  legend: { ...TEXT },
  header: { ...TEXT, labelPadding: 4 },
} as const;

/** Where a logarithmic axis of context lengths has its ticks: the tested ones, thinned out where they crowd. */
export function lengthTicks(contexts: readonly number[], ratio = 1.35): number[] {
  const kept: number[] = [];
  for (const context of contexts) if (context >= ratio * (kept.at(-1) ?? 0)) kept.push(context);
  return kept;
}
