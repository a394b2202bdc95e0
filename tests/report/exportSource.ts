/** Rows of a fixture as exports read those of the store, and what becomes of them. */
import type { DivergenceRow, SweepRows } from '../../domain/rows.js';
import { exported, type ExportOptions } from '../../report/export/exported.js';
import type { ExportSource } from '../../report/export/table.js';

/** Cells in the order in which the fixture has them. */
export function sourceOf({ cells, ...head }: SweepRows, divergences: readonly DivergenceRow[] = []): ExportSource {
  return {
    head,
    // eslint-disable-next-line @typescript-eslint/require-await
    async *cells({ kinds, pageCells = 1000 }) {
      const wanted = cells.filter(({ taskKind }) => kinds?.includes(taskKind) ?? true);
      for (let from = 0; from < wanted.length; from += pageCells) yield wanted.slice(from, from + pageCells);
    },
    divergences: (keys) => Promise.resolve(divergences.filter(({ key }) => keys.includes(key))),
  };
}

/** The pieces of an export; CSV of all cells unless said otherwise. */
export async function exportPieces(source: ExportSource, options: Partial<ExportOptions> = {}): Promise<(string | Uint8Array)[]> {
  const pieces: (string | Uint8Array)[] = [];
  for await (const piece of exported(source, { rows: 'cells', format: 'csv', resultsOnly: false, version: '0', ...options })) pieces.push(piece);
  return pieces;
}

export const exportText = async (source: ExportSource, options: Partial<ExportOptions> = {}): Promise<string> => (await exportPieces(source, options)).join('');

/** The rows of an export in JSON Lines. */
export async function exportObjects(source: ExportSource, options: Partial<ExportOptions> = {}): Promise<Record<string, unknown>[]> {
  const text = await exportText(source, { ...options, format: 'jsonl' });
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
}
