/** Attention in the terminal: a table of arms and context lengths. */
import { ATTENTION_NOTE, attentionColumns } from '../attentionFace.js';
import type { AttentionTable } from '../attentionRows.js';
import { painter, printable } from './paint.js';
import type { TerminalStyle } from './style.js';
import { wrapped } from './wrapped.js';

const GAP = '  ';
/** Widest label of an arm; the HTML report has all of it. */
const LABEL_COLUMNS = 28;

/** Lines of all tables; none without attention tasks. */
export function attentionLines(tables: readonly AttentionTable[], style: TerminalStyle): string[] {
  const { bold, dim } = painter(style.color);
  return tables.flatMap((attention) => {
    const { heads, rows } = attentionColumns(attention);
    const texts = rows.map(([label = '', ...numbers]) => [shortened(printable(label)), ...numbers]);
    // Heads that do not fit stand as numbers, told below.
    const short = heads.map((head, at) => (head.startsWith('JS') ? `JS ${at - 4}` : head));
    const widths = short.map((head, at) => Math.max(head.length, ...texts.map((row) => row[at]?.length ?? 0)));
    const line = (cells: readonly string[]): string => cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(GAP).slice(0, style.columns);
    const legend = heads.flatMap((head, at) => (head.startsWith('JS') ? [`JS ${at - 4}: ${head}`] : []));
    return [
      '',
      ...wrapped(`Attention${tables.length > 1 ? `, task ${attention.task}` : ''}: mean over documents, rows, layers and heads`, style.columns).map(bold),
      line(short),
      ...texts.map(line),
      ...[...legend, ATTENTION_NOTE].flatMap((note) => wrapped(note, style.columns)).map(dim),
    ];
  });
}

const shortened = (label: string): string => (label.length > LABEL_COLUMNS ? `${label.slice(0, LABEL_COLUMNS - 3)}...` : label);
