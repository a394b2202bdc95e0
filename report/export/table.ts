/** A kind of rows that can be exported: its columns, and how its rows are made of a sweep, page by page. */
import type { CellKey } from '../../domain/ids.js';
import type { CellRow, CellsWanted, DivergenceRow, SweepHead } from '../../domain/rows.js';
import type { Column, ColumnWords, Value } from './column.js';

/** Where rows come from: a sweep of the store. */
export interface ExportSource {
  readonly head: SweepHead;
  /** In the order of the export: arm, task, contextTokens, the task's axes, key. */
  cells(wanted: CellsWanted): AsyncIterable<readonly CellRow[]>;
  divergences(keys: readonly CellKey[]): Promise<readonly DivergenceRow[]>;
}

/** Rows as values, in the order of the columns that were chosen. */
export type Rows = readonly (readonly Value[])[];

export interface ExportTable {
  readonly title: string;
  readonly columns: readonly ColumnWords[];
  /** @param chosen names of columns */
  rows(source: ExportSource, chosen: ReadonlySet<string>): AsyncIterable<Rows>;
}

/** @param title one sentence: what a row is */
export function exportTable<Row>(title: string, columns: readonly Column<Row>[], pages: (source: ExportSource) => AsyncIterable<readonly Row[]>): ExportTable {
  return {
    title,
    columns,
    async *rows(source, chosen) {
      const shown = columns.filter(({ name }) => chosen.has(name));
      for await (const page of pages(source)) yield page.map((row) => shown.map(({ value }) => value(row)));
    },
  };
}

/** Cells read at once: their arrays are what memory goes to. */
export const PAGE_CELLS = 1_000;
