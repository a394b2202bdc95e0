/**
 * Rows as text: CSV has a header (RFC 4180 quoting, line feeds); JSON Lines has one object a line with the same names.
 *
 * Numbers are printed as the shortest decimal that reads back as the same float64 (ECMA-262 Number::toString), so that
 * equal exports mean equal numbers to the last bit; only -0 is printed as 0.
 */
import { stringify } from 'csv-stringify/sync';
import type { ColumnWords, Value } from './column.js';
import type { Rows } from './table.js';

/** Rows formatted at once. */
const CHUNK_ROWS = 500;

const csvField = (value: Value): string => {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

interface Formatter {
  readonly head: (names: readonly string[]) => string;
  readonly rows: (names: readonly string[], values: Rows) => string;
}

const CSV: Formatter = {
  head: (names) => stringify([names]),
  rows: (_names, values) => stringify(values.map((row) => row.map(csvField))),
};

const JSONL: Formatter = {
  head: () => '',
  rows: (names, values) => values.map((row) => `${JSON.stringify(Object.fromEntries(names.map((name, at) => [name, row[at]])))}\n`).join(''),
};

async function* formatted(formatter: Formatter, columns: readonly ColumnWords[], pages: AsyncIterable<Rows>): AsyncGenerator<string> {
  const names = columns.map(({ name }) => name);
  const head = formatter.head(names);
  if (head !== '') yield head;
  for await (const page of pages) {
    for (let from = 0; from < page.length; from += CHUNK_ROWS) yield formatter.rows(names, page.slice(from, from + CHUNK_ROWS));
  }
}

/** The text in pieces, each a whole number of lines; every line ends with a newline. */
export const csv = (columns: readonly ColumnWords[], pages: AsyncIterable<Rows>): AsyncGenerator<string> => formatted(CSV, columns, pages);
export const jsonLines = (columns: readonly ColumnWords[], pages: AsyncIterable<Rows>): AsyncGenerator<string> => formatted(JSONL, columns, pages);
