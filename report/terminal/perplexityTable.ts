/** Perplexity in the terminal: a table of arms by context lengths, and bits per byte beside it where tokens are text. */
import { NOTHING } from '../armSummary.js';
import { plural } from '../labels.js';
import type { PerplexityChart, PerplexityPoint } from '../perplexityCurves.js';
import { bitsPerByteText, conventionText, perplexityText } from '../perplexityFace.js';
import { painter, printable } from './paint.js';
import type { TerminalStyle } from './style.js';
import { wrapped } from './wrapped.js';

const GAP = 2;
/** Widest label of an arm; the HTML report has all of it. */
const LABEL_COLUMNS = 32;

/** Lines of all charts; none without charts. */
export function perplexityLines(charts: readonly PerplexityChart[], style: TerminalStyle): string[] {
  return charts.flatMap((chart) => {
    const { bold, dim } = painter(style.color);
    const documents = new Set(chart.curves.flatMap(({ points }) => points.flatMap((point) => point.documents.map(({ document }) => document)))).size;
    const title = `Perplexity${charts.length > 1 ? `, task ${chart.task}` : ''}: ${plural(documents, 'document')}, weighted by token; ${conventionText(chart.view)}`;
    const hasBytes = chart.curves.some(({ points }) => points.some((point) => point.bitsPerByte !== null));
    const isPartial = chart.curves.some(({ points }) => points.some(({ missing }) => missing > 0));
    const notes = [...(hasBytes ? ['bits per byte do not depend on the tokenizer.'] : []), ...(isPartial ? ['* some documents have no numbers.'] : [])];
    return [
      '',
      ...wrapped(title, style.columns).map(bold),
      ...tableLines(chart, perplexityText, 'perplexity', style),
      ...(hasBytes ? ['', ...tableLines(chart, bitsPerByteText, 'bits per byte', style)] : []),
      ...notes.flatMap((note) => wrapped(note, style.columns)).map(dim),
    ];
  });
}

function tableLines(chart: PerplexityChart, textOf: (point: PerplexityPoint) => string, head: string, style: TerminalStyle): string[] {
  const labels = chart.curves.map(({ arm }) => shortened(printable(arm.label)));
  const texts = chart.curves.map(({ points }) => points.map(textOf));
  const widths = chart.contexts.map((context, at) => Math.max(String(context).length, ...texts.map((row) => row[at]?.length ?? 0)));
  const labelWidth = Math.max(head.length, ...labels.map(({ length }) => length));
  const columns = fittingColumns(widths, style.columns - labelWidth);
  const line = (label: string, cells: readonly string[]): string =>
    `${label.padEnd(labelWidth)}${columns.map((at) => ' '.repeat(GAP) + (cells[at] ?? NOTHING).padStart(widths[at] ?? 0)).join('')}`;
  const rows = texts.map((row, at) => line(labels[at] ?? '', row));
  const left = chart.contexts.length - columns.length;
  return [line(head, chart.contexts.map(String)), ...rows, ...(left > 0 ? [`${plural(left, 'more length')} in the HTML report`] : [])];
}

const shortened = (label: string): string => (label.length > LABEL_COLUMNS ? `${label.slice(0, LABEL_COLUMNS - 3)}...` : label);

/** As many columns as fit, evenly spread, the longest context among them. */
function fittingColumns(widths: readonly number[], room: number): number[] {
  const each = Math.max(...widths) + GAP;
  const count = Math.max(1, Math.min(widths.length, Math.floor(room / each)));
  const last = widths.length - 1;
  return count === 1 ? [last] : Array.from({ length: count }, (_, column) => Math.round((column * last) / (count - 1)));
}
