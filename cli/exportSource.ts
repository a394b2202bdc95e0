/** A sweep of the store as exports read it. */
import type { SweepId } from '../domain/ids.js';
import type { ExportSource } from '../report/export/table.js';
import type { PrismaStore } from '../results/store.js';

/** @throws RopesweepError SWEEP_UNKNOWN */
export async function exportSource(store: PrismaStore, sweep: SweepId): Promise<ExportSource> {
  const head = await store.head(sweep);
  return { head, cells: (wanted) => store.cellPages(head, wanted), divergences: (keys) => store.divergences(sweep, keys) };
}
