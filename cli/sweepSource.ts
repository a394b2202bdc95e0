/** A sweep of the store as reports and exports read it. */
import type { SweepId } from '../domain/ids.js';
import type { SweepSource } from '../report/source.js';
import type { PrismaStore } from '../results/store.js';

/** @throws RopesweepError SWEEP_UNKNOWN */
export async function sweepSource(store: PrismaStore, sweep: SweepId): Promise<SweepSource> {
  const head = await store.head(sweep);
  return {
    head,
    lengths: await store.taskLengths(sweep),
    cells: (wanted) => store.cellPages(head, wanted),
    needleScores: (arms) => store.needleScores(head, arms),
    divergences: (keys) => store.divergences(sweep, keys),
  };
}
