/**
 * A column of strings of a Parquet file, one row group at a time.
 */
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { messageOf } from '../domain/errors.js';
import { invalidDocuments, listed } from './invalidDocuments.js';

export interface ParquetText {
  /** Counted from 0. */
  readonly row: number;
  /** null where the row has none. */
  readonly text: string | null;
}

/** @throws RopesweepError DOCUMENTS_INVALID for a damaged file, a missing column or one that holds no strings */
export async function* parquetTexts(file: string, field: string, firstRow: number): AsyncGenerator<ParquetText> {
  const { buffer, metadata } = await openParquet(file, field);
  let start = 0;
  for (const group of metadata.row_groups) {
    const from = Math.max(start, firstRow);
    start += Number(group.num_rows);
    if (start <= from) continue;
    for (const [index, text] of (await parquetColumn(file, buffer, metadata, field, from, start)).entries()) yield { row: from + index, text };
  }
}

interface OpenParquet {
  readonly buffer: AsyncBuffer;
  readonly metadata: FileMetaData;
}

async function openParquet(file: string, field: string): Promise<OpenParquet> {
  // Loaded where it is needed: most sweeps read no Parquet.
  const { asyncBufferFromFile, parquetMetadataAsync, parquetSchema } = await import('hyparquet');
  const opened = await readingParquet(file, async () => {
    const buffer = await asyncBufferFromFile(file);
    return { buffer, metadata: await parquetMetadataAsync(buffer) };
  });
  const columns = parquetSchema(opened.metadata).children.map(({ element }) => element);
  const column = columns.find(({ name }) => name === field);
  if (column === undefined) {
    throw invalidDocuments(file, `it has no column "${field}"; it has ${listed(columns.map(({ name }) => name))}`, 'Name the column that holds the text (documents.field).');
  }
  if (column.type !== 'BYTE_ARRAY') throw invalidDocuments(file, `column "${field}" holds no text`, 'Name the column that holds the text (documents.field).');
  return opened;
}

/** [end - start] texts of rows [start, end); null where a row has none. */
async function parquetColumn(file: string, buffer: AsyncBuffer, metadata: FileMetaData, field: string, start: number, end: number): Promise<(string | null)[]> {
  const [{ parquetReadObjects }, { compressors }] = await Promise.all([import('hyparquet'), import('hyparquet-compressors')]);
  const rows = await readingParquet(file, () =>
    parquetReadObjects({ file: buffer, metadata, compressors, columns: [field], rowStart: start, rowEnd: end }),
  );
  return rows.map((row, index) => {
    const text: unknown = row[field] ?? null;
    if (text !== null && typeof text !== 'string') throw invalidDocuments(`${file} row ${start + index}`, `"${field}" is no text`, 'Name the column that holds the text (documents.field).');
    return text;
  });
}

async function readingParquet<Result>(file: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (cause) {
    throw invalidDocuments(file, `it cannot be read as Parquet: ${messageOf(cause)}`, 'Write the file again, or check that it was copied whole.', cause);
  }
}
