/**
 * The texts that files of documents hold, one after the other: nothing is held but the text at hand.
 *
 *   txt       the whole file is one text
 *   jsonl     a text a line: a field of the line's object; blank lines are skipped but counted
 *   parquet   a text a row: a column of strings
 *
 * A row whose field is null has no text and is skipped. Text longer than LONGEST_TEXT characters counts up to there.
 */
import { messageOf } from '../domain/errors.js';
import type { DocumentFormat } from '../domain/task.js';
import { invalidDocuments, listed } from './invalidDocuments.js';
import { parquetTexts } from './parquetTexts.js';
import { lines, utf8Pieces } from './utf8.js';

/** A text longer than this (UTF-16 code units; about a million tokens of English) is read only so far. */
export const LONGEST_TEXT = 2 ** 22;

export interface DocumentFile {
  /** Absolute path, links followed. */
  readonly file: string;
  /** As people know it: its name before links were followed. */
  readonly name: string;
  readonly format: DocumentFormat;
}

export interface DocumentText {
  /** Counted from 0; null where the file is one text. */
  readonly row: number | null;
  readonly text: string;
}

/**
 * @param field column that holds the text, of formats that have columns
 * @param firstRow rows before it are left out
 * @throws RopesweepError DOCUMENTS_INVALID
 */
export function documentTexts({ file, format }: Pick<DocumentFile, 'file' | 'format'>, field: string, firstRow = 0): AsyncGenerator<DocumentText> {
  return TEXTS[format](file, field, firstRow);
}

const TEXTS: { readonly [F in DocumentFormat]: (file: string, field: string, firstRow: number) => AsyncGenerator<DocumentText> } = {
  async *txt(file) {
    let text = '';
    for await (const piece of utf8Pieces(file)) {
      text += piece;
      if (text.length > LONGEST_TEXT) break;
    }
    yield { row: null, text: leading(text) };
  },

  async *jsonl(file, field, firstRow) {
    let row = -1;
    for await (const line of lines(file)) {
      row += 1;
      if (row < firstRow || line.trim() === '') continue;
      const text = fieldOf(line, field, `${file}:${row + 1}`);
      if (text !== null) yield { row, text: leading(text) };
    }
  },

  async *parquet(file, field, firstRow) {
    for await (const { row, text } of parquetTexts(file, field, firstRow)) {
      if (text !== null) yield { row, text: leading(text) };
    }
  },
};

/** The first LONGEST_TEXT characters; a pair of surrogates is not torn apart. */
export function leading(text: string): string {
  if (text.length <= LONGEST_TEXT) return text;
  const torn = /[\uD800-\uDBFF]/.test(text.charAt(LONGEST_TEXT - 1));
  return text.slice(0, torn ? LONGEST_TEXT - 1 : LONGEST_TEXT);
}

function fieldOf(line: string, field: string, where: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw invalidDocuments(where, `the line is not JSON: ${messageOf(cause)}`, 'Mend the line, or leave it out.', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidDocuments(where, 'the line is no JSON object', `Write one object a line, with its text in "${field}".`);
  }
  const text: unknown = Object.hasOwn(value, field) ? (value as Readonly<Record<string, unknown>>)[field] : undefined;
  if (text === undefined) throw invalidDocuments(where, `the line has no field "${field}"; it has ${listed(Object.keys(value))}`, 'Name the field that holds the text (documents.field).');
  if (text !== null && typeof text !== 'string') throw invalidDocuments(where, `"${field}" is no text`, 'Name the field that holds the text (documents.field).');
  return text;
}
