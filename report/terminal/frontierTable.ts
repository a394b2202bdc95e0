/** Frontiers in the terminal: a table of arms, and what their search saved. */
import { refinementTotals } from '../../domain/refinement.js';
import type { SweepHead } from '../../domain/rows.js';
import { NOTHING } from '../armSummary.js';
import { passedText } from '../labels.js';
import { FRONTIER_NOTE, frontierTables, savedText, type FrontierTable } from '../refinementFace.js';
import { painter, printable } from './paint.js';
import type { TerminalStyle } from './style.js';
import { wrapped } from './wrapped.js';

const GAP = '  ';
/** Widest label of an arm; the HTML report has all of it. */
const LABEL_COLUMNS = 24;

/** Lines of all tables; none where nothing is refined. */
export function frontierLines(rows: SweepHead, style: TerminalStyle): string[] {
  const tables = frontierTables(rows);
  if (tables.length === 0) return [];
  const { dim } = painter(style.color);
  const notes = [FRONTIER_NOTE, savedText(refinementTotals(rows.refinement ?? []))];
  return [...tables.flatMap((table) => tableLines(table, style)), ...notes.flatMap((note) => wrapped(note, style.columns)).map(dim)];
}

function tableLines({ title, hasDepths, rows }: FrontierTable, style: TerminalStyle): string[] {
  const { bold } = painter(style.color);
  const heads = ['arm', ...(hasDepths ? ['depth %'] : []), 'frontier', 'pass', 'fail', 'audit', 'cells'];
  const texts = rows.map(({ arm, depth, bracket, frontier: { passes, fails }, audit, cells }) => [
    shortened(printable(arm.label)),
    ...(hasDepths ? [depth] : []),
    bracket,
    passes === null ? NOTHING : passedText(passes),
    fails === null ? NOTHING : passedText(fails),
    audit,
    cells,
  ]);
  const widths = heads.map((head, at) => Math.max(head.length, ...texts.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]): string => row.map((text, at) => (at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0))).join(GAP).trimEnd();
  return [
    '',
    ...wrapped(title, style.columns).map(bold),
    line(heads),
    ...texts.flatMap((row, at) => {
      const remark = rows[at]?.remark ?? '';
      return [line(row), ...(remark === '' ? [] : wrapped(remark, style.columns - GAP.length).map((text) => GAP + text))];
    }),
  ];
}

const shortened = (label: string): string => (label.length > LABEL_COLUMNS ? `${label.slice(0, LABEL_COLUMNS - 3)}...` : label);
