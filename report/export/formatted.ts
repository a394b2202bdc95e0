/**
 * Rows as text: CSV has a header (RFC 4180 quoting, line feeds); JSON Lines has one object a line with the same names.
 *
 * Numbers are printed as the shortest decimal that reads back as the same float64 (ECMA-262 Number::toString), so that
 * equal exports mean equal numbers to the last bit; only -0 is printed as 0.
 */
import { stringify } from 'csv-stringify/sync';

/** What JSON Lines carries as it is; CSV prints arrays as JSON, null as nothing. */
export type Value = string | number | boolean | null | readonly (number | string)[];

export const EXPORT_FORMATS = ['csv', 'jsonl'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Rows formatted at once. */
const CHUNK_ROWS = 500;

const csvField = (value: Value): string => {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

const FORMATTERS: Readonly<Record<ExportFormat, { head: (names: readonly string[]) => string; rows: (names: readonly string[], values: readonly (readonly Value[])[]) => string }>> = {
  csv: {
    head: (names) => stringify([names]),
    rows: (_names, values) => stringify(values.map((row) => row.map(csvField))),
  },
  jsonl: {
    head: () => '',
    rows: (names, values) => values.map((row) => `${JSON.stringify(Object.fromEntries(names.map((name, at) => [name, row[at]])))}\n`).join(''),
  },
};

/** The text in pieces, each a whole number of lines; every line ends with a newline. */
export function* formatted<Row>(format: ExportFormat, names: readonly string[], rows: readonly Row[], valuesOf: (row: Row) => readonly Value[]): Generator<string> {
  const formatter = FORMATTERS[format];
  const head = formatter.head(names);
  if (head !== '') yield head;
  for (let from = 0; from < rows.length; from += CHUNK_ROWS) yield formatter.rows(names, rows.slice(from, from + CHUNK_ROWS).map(valuesOf));
}
