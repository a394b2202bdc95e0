/** Exports: rows of a sweep in one of the formats, in an order that does not depend on the run (docs/export.md). */
import { parquet } from './parquet.js';
import type { SweepSource } from '../source.js';
import { EXPORT_SCHEMA_VERSION, TABLES, type RowKind } from './tables.js';
import { csv, jsonLines } from './text.js';

export const EXPORT_FORMATS = ['csv', 'jsonl', 'parquet'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  readonly rows: RowKind;
  readonly format: ExportFormat;
  /** Leaves out which run, when, where and why not, so that two runs can be compared byte for byte. */
  readonly resultsOnly: boolean;
  /** Of ropesweep, for the files that say who wrote them. */
  readonly version: string;
}

/** The export in pieces; those of text are whole lines. The sweep is read as they are taken. */
export function exported(source: SweepSource, { rows, format, resultsOnly, version }: ExportOptions): AsyncGenerator<string> | AsyncGenerator<Uint8Array> {
  const table = TABLES[rows];
  const columns = table.columns.filter(({ kind }) => !resultsOnly || kind === 'result');
  const pages = table.rows(source, new Set(columns.map(({ name }) => name)));
  switch (format) {
    case 'csv':
      return csv(columns, pages);
    case 'jsonl':
      return jsonLines(columns, pages);
    case 'parquet':
      return parquet(columns, pages, { 'ropesweep.rows': rows, 'ropesweep.schemaVersion': String(EXPORT_SCHEMA_VERSION), ...(resultsOnly ? {} : { 'ropesweep.sweep': source.head.sweep }) }, `ropesweep ${version}`);
  }
}
