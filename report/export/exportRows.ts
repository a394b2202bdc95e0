/**
 * Exports: one row per cell, in an order that does not depend on the run: arm, task, contextTokens, the task's axes, key.
 *
 * Numbers are printed as the shortest decimal that reads back as the same float64 (ECMA-262 Number::toString), so that
 * equal exports mean equal numbers to the last bit; only -0 is printed as 0.
 */
import { stringify } from 'csv-stringify/sync';
import { RopesweepError } from '../../domain/errors.js';
import type { ArmRow, CellRow, SweepRows } from '../../domain/rows.js';
import { COLUMNS, type Column, type Value } from './columns.js';

export const EXPORT_FORMATS = ['csv', 'jsonl'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  readonly format: ExportFormat;
  /** Leaves out which run, when, where and why not, so that two runs can be compared byte for byte. */
  readonly resultsOnly: boolean;
}

/** Rows formatted at once. */
const CHUNK_ROWS = 500;

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Cells of one task by its axes. */
function byAxes(a: CellRow, b: CellRow): number {
  if (a.taskKind === 'needle' && b.taskKind === 'needle') return a.depth - b.depth || a.seed - b.seed;
  return a.taskKind === 'perplexity' && b.taskKind === 'perplexity' ? byText(a.document, b.document) : 0;
}

/** Cells with their arms in the order of the export. */
function ordered(rows: SweepRows): { cell: CellRow; arm: ArmRow }[] {
  const arms = new Map(rows.arms.map((arm) => [arm.id, arm]));
  return rows.cells
    .map((cell) => {
      const arm = arms.get(cell.armId);
      if (arm === undefined) throw new RopesweepError('INTERNAL', { where: `cell ${cell.key}`, what: `its arm ${cell.armId} is not among the sweep's arms` });
      return { cell, arm };
    })
    .sort(
      (a, b) =>
        a.arm.ordinal - b.arm.ordinal ||
        byText(a.arm.id, b.arm.id) ||
        a.cell.task - b.cell.task ||
        a.cell.contextTokens - b.cell.contextTokens ||
        byAxes(a.cell, b.cell) ||
        byText(a.cell.key, b.cell.key),
    );
}

const csvField = (value: Value): string => {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

const FORMATTERS: Readonly<Record<ExportFormat, { head: (columns: readonly Column[]) => string; rows: (columns: readonly Column[], values: readonly Value[][]) => string }>> = {
  csv: {
    head: (columns) => stringify([columns.map(({ name }) => name)]),
    rows: (_columns, values) => stringify(values.map((row) => row.map(csvField))),
  },
  jsonl: {
    head: () => '',
    rows: (columns, values) => values.map((row) => `${JSON.stringify(Object.fromEntries(columns.map(({ name }, at) => [name, row[at]])))}\n`).join(''),
  },
};

/**
 * The text of an export in pieces, each a whole number of lines; every line ends with a newline. CSV has a header
 * (RFC 4180 quoting, line feeds); JSON Lines has one object a line with the same names.
 */
export function* exportRows(rows: SweepRows, { format, resultsOnly }: ExportOptions): Generator<string> {
  const columns = COLUMNS.filter(({ kind }) => !resultsOnly || kind === 'result');
  const formatter = FORMATTERS[format];
  const cells = ordered(rows);
  const head = formatter.head(columns);
  if (head !== '') yield head;
  for (let from = 0; from < cells.length; from += CHUNK_ROWS) {
    const values = cells.slice(from, from + CHUNK_ROWS).map(({ cell, arm }) => columns.map(({ value }) => value(cell, arm, rows)));
    yield formatter.rows(columns, values);
  }
}
