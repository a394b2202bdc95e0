/** A kind of rows that can be exported: its columns, and how its rows are made of a sweep, page by page. */
import type { SweepSource } from '../source.js';
import type { Column, ColumnWords, Value } from './column.js';

/** Rows as values, in the order of the columns that were chosen. */
export type Rows = readonly (readonly Value[])[];

export interface ExportTable {
  readonly title: string;
  readonly columns: readonly ColumnWords[];
  /** @param chosen names of columns */
  rows(source: SweepSource, chosen: ReadonlySet<string>): AsyncIterable<Rows>;
}

/** @param title one sentence: what a row is */
export function exportTable<Row>(title: string, columns: readonly Column<Row>[], pages: (source: SweepSource) => AsyncIterable<readonly Row[]>): ExportTable {
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
