/** Perplexities and conventions as tables print them, the same in the terminal and in the HTML report. */
import { perplexity } from '../domain/perplexity.js';
import { MARKS } from './cellFace.js';
import { NOTHING } from './armSummary.js';
import type { PerplexityView } from './perplexityCells.js';
import type { PerplexityPoint } from './perplexityCurves.js';

/** Four significant digits; `1.2e+5` from a hundred thousand on. */
const figureText = (value: number): string => (value >= 99_995 ? value.toExponential(1) : value >= 999.95 ? value.toFixed(0) : value.toPrecision(4));

const marked = (value: number | null, { missing }: PerplexityPoint): string =>
  value === null ? NOTHING : `${figureText(value)}${missing > 0 ? MARKS.partial : ''}`;

/** Marked where documents have no numbers. */
export const perplexityText = (point: PerplexityPoint): string => marked(point.perplexity, point);
export const bitsPerByteText = (point: PerplexityPoint): string => marked(point.bitsPerByte, point);
export const lastPerplexityText = (point: PerplexityPoint): string => marked(perplexity(point.last), point);

/** Which tokens count, in words. */
export function conventionText({ windows }: PerplexityView): string {
  switch (windows.kind) {
    case 'first':
      return 'the first tokens of each document, one window';
    case 'sliding':
      return `sliding windows, stride ${windows.strideTokens}, at most ${windows.maximumWindows} a document`;
    case 'disjoint':
      return `windows side by side, at most ${windows.maximumWindows} a document`;
  }
}
