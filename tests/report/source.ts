/** Rows of a fixture as reports and exports read those of the store, and what becomes of them. */
import { isNeedleRow, type DivergenceRow, type SweepRows } from '../../domain/rows.js';
import { exported, type ExportOptions } from '../../report/export/exported.js';
import { gather, type Gathered } from '../../report/gathered.js';
import type { SweepSource } from '../../report/source.js';

/** Cells in the order in which the fixture has them. */
export function sourceOf({ cells, ...head }: SweepRows, divergences: readonly DivergenceRow[] = []): SweepSource {
  return {
    head,
    lengths: cells.map(({ task, taskKind, contextTokens }) => ({ task, taskKind, contextTokens })),
    // eslint-disable-next-line @typescript-eslint/require-await
    async *cells({ kinds, arms, pageCells = 1000 }) {
      const wanted = cells.filter(({ taskKind, armId }) => (kinds?.includes(taskKind) ?? true) && (arms?.includes(armId) ?? true));
      for (let from = 0; from < wanted.length; from += pageCells) yield wanted.slice(from, from + pageCells);
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async *needleScores(arms) {
      const wanted = cells.filter(isNeedleRow).filter(({ armId }) => arms.includes(armId));
      yield wanted.map(({ measured, ...cell }) => ({ ...cell, fingerprint: measured?.fingerprint ?? null }));
    },
    divergences: (keys) => Promise.resolve(divergences.filter(({ key }) => keys.includes(key))),
  };
}

export const gathered = (rows: SweepRows): Promise<Gathered> => gather(sourceOf(rows));

/** The pieces of an export; CSV of all cells unless said otherwise. */
export async function exportPieces(source: SweepSource, options: Partial<ExportOptions> = {}): Promise<(string | Uint8Array)[]> {
  const pieces: (string | Uint8Array)[] = [];
  for await (const piece of exported(source, { rows: 'cells', format: 'csv', resultsOnly: false, version: '0', ...options })) pieces.push(piece);
  return pieces;
}

export const exportText = async (source: SweepSource, options: Partial<ExportOptions> = {}): Promise<string> => (await exportPieces(source, options)).join('');

/** The rows of an export in JSON Lines. */
export async function exportObjects(source: SweepSource, options: Partial<ExportOptions> = {}): Promise<Record<string, unknown>[]> {
  const text = await exportText(source, { ...options, format: 'jsonl' });
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
}
