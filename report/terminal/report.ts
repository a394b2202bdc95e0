/** The results of a sweep in the terminal: heading, heat maps, legend, arm table, what has no numbers and why. */
import { isQuantised } from '../../domain/weightFormat.js';
import { armGrids } from '../aggregate.js';
import { MARKS } from '../cellFace.js';
import { modelTexts, plural, statesText } from '../labels.js';
import { perplexityCharts } from '../perplexityCurves.js';
import { attentionTables } from '../attentionRows.js';
import { armTableLines } from './armTable.js';
import { attentionLines } from './attentionTable.js';
import { findings } from '../findings.js';
import { cellCount, type Gathered } from '../gathered.js';
import { findingLines } from './findingLines.js';
import { frontierLines } from './frontierTable.js';
import { heatmapLines } from './heatmap.js';
import { legendLines } from './legend.js';
import { painter, printable } from './paint.js';
import { perplexityLines } from './perplexityTable.js';
import type { TerminalStyle } from './style.js';
import { wrapped } from './wrapped.js';

/** Groups of outcomes that are printed; the HTML report has all. */
const SHOWN_OUTCOMES = 5;

function headingLines(rows: Gathered, style: TerminalStyle): string[] {
  const states = statesText(rows.states);
  const cells = `${plural(cellCount(rows.states), 'cell')}${states === '' ? '' : ` (${states})`}`;
  const [first = '', ...more] = wrapped(`${rows.sweep}, revision ${rows.revision}, ${rows.state}: ${plural(rows.arms.length, 'arm')}, ${cells}`, style.columns);
  // What was lost when weights were stored bears on every number below.
  const lossy = modelTexts(rows.arms.filter(({ weightFormat }) => isQuantised(weightFormat)));
  return [painter(style.color).bold(first), ...more, ...lossy.flatMap((text) => wrapped(printable(text), style.columns))];
}

function outcomeLines(rows: Gathered, style: TerminalStyle): string[] {
  const groups = rows.outcomes;
  if (groups.length === 0) return [];
  const shown = groups.slice(0, SHOWN_OUTCOMES).map(({ state, reason, cells }) => {
    const line = `${plural(cells, 'cell')} ${state}: ${printable(reason)}`;
    return line.length > style.columns ? `${line.slice(0, Math.max(0, style.columns - 3))}...` : line;
  });
  const more = groups.length - SHOWN_OUTCOMES;
  return ['', ...shown, ...(more > 0 ? [`${plural(more, 'more reason')} in the HTML report`] : [])];
}

function notesLines(hasEntropyFirst: boolean, hasIncompleteReach: boolean): string[] {
  return [
    'reach: largest tested context such that it and every smaller one have recall >= 90 %, with the Wilson interval there.',
    'H: mean attention entropy (nats) of passing and failing cells at one length, the one nearest to where recall drops.',
    ...(hasEntropyFirst ? [`${MARKS.firstRow} entropy of the first answer row, as a cell there has no other.`] : []),
    ...(hasIncompleteReach ? [`${MARKS.partial} cells that decide the reach have no numbers.`] : []),
  ];
}

/** Everything of a sweep that a terminal shows; without a newline at its end. */
export function renderTerminal(rows: Gathered, style: TerminalStyle): string {
  const grids = armGrids(rows);
  const attention = attentionTables(rows);
  const paint = painter(style.color);
  const notes = notesLines(
    grids.some(({ shownSplit }) => shownSplit?.source === 'entropyFirst'),
    grids.some(({ reach }) => reach?.isComplete === false),
  );
  const needleLines = [
    '',
    ...heatmapLines(grids, style),
    ...legendLines(grids, style),
    '',
    ...armTableLines(grids, style),
    ...notes.flatMap((note) => wrapped(note, style.columns)).map((line) => paint.dim(line)),
  ];
  const lines = [
    ...headingLines(rows, style),
    ...(cellCount(rows.states) === 0 ? ['', 'This sweep has no cells.'] : []),
    ...(grids.length === 0 ? [] : needleLines),
    ...frontierLines(rows, style),
    ...perplexityLines(perplexityCharts(rows), style),
    ...attentionLines(attention, style),
    ...findingLines(findings(rows, undefined, grids, attention), style),
    ...outcomeLines(rows, style),
  ];
  return lines.join('\n');
}
