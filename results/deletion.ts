/**
 * Deleting a sweep: its plan, its shards and its memberships. Measurements belong to all sweeps and stay, until
 * `ropesweep db prune` finds that no sweep has them.
 */
import { RopesweepError } from '../domain/errors.js';
import type { SweepId } from '../domain/ids.js';
import { isEnded, type SweepState } from '../domain/states.js';
import type { Client } from './database.js';

/**
 * @returns cells that the sweep had; null if there is none of that name
 * @throws RopesweepError SWEEP_STATE while it runs
 */
export async function deleteSweep(transaction: Client, sweep: SweepId): Promise<number | null> {
  const [row] = await transaction.$queryRaw<{ state: SweepState }[]>`SELECT state::text AS state FROM sweeps WHERE id = ${sweep} FOR UPDATE`;
  if (row === undefined) return null;
  if (!isEnded(row.state)) {
    throw new RopesweepError('SWEEP_STATE', { where: `sweep ${sweep}`, what: `it is ${row.state}`, mend: 'Cancel it first (ropesweep cancel), or delete it with --cancel.' });
  }
  // First the many rows, by the index of their cells, so that the cascade from the sweep finds little left.
  const cells = await transaction.$executeRaw`DELETE FROM memberships WHERE sweep_id = ${sweep}`;
  await transaction.$executeRaw`DELETE FROM sweeps WHERE id = ${sweep}`;
  return cells;
}
