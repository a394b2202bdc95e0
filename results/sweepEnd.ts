/**
 * How a sweep ends.
 */
import { RopesweepError } from '../domain/errors.js';
import type { SweepId } from '../domain/ids.js';
import { isEnded, type SweepEndState } from '../domain/states.js';
import { adoptForSweep } from './adoption.js';
import type { Client } from './database.js';
import { OPEN_SHARDS, sweepStatesBefore } from './transitions.js';

/**
 * Done if every cell has numbers; incomplete if cells failed, ran out of memory or were not reached. What the plan listed
 * as infeasible does not count: nobody tried it.
 */
export async function endState(transaction: Client, sweep: SweepId): Promise<'done' | 'incomplete'> {
  const [row] = await transaction.$queryRaw<{ complete: boolean }[]>`
    SELECT p.planned = 0 AND p.failed = 0 AND p.infeasible <= r.infeasible_cells AS complete
    FROM sweeps s
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    JOIN sweep_progress p ON p.sweep_id = s.id
    WHERE s.id = ${sweep}`;
  if (row === undefined) throw new RopesweepError('SWEEP_UNKNOWN', { where: `sweep ${sweep}`, what: 'it was never submitted' });
  return row.complete ? 'done' : 'incomplete';
}

/**
 * Ends a sweep whose backlog is empty where its cells put it.
 *
 * @returns null where somebody added cells to compute meanwhile: then it goes on
 */
export async function settleSweep(transaction: Client, sweep: SweepId): Promise<SweepEndState | null> {
  await lockSweep(transaction, sweep);
  const [row] = await transaction.$queryRaw<{ goesOn: boolean }[]>`
    SELECT EXISTS (
      SELECT FROM shards h JOIN memberships m ON m.shard_id = h.id
      WHERE h.sweep_id = ${sweep} AND h.state = ANY (${OPEN_SHARDS}::shard_state[]) AND m.state = 'planned') AS "goesOn"`;
  return row?.goesOn === true ? null : finishSweep(transaction, sweep, null);
}

const lockSweep = (transaction: Client, sweep: SweepId) => transaction.$queryRaw`SELECT id FROM sweeps WHERE id = ${sweep} FOR NO KEY UPDATE`;

/** Ends a running sweep and hands its leased shards back; one that ended before keeps its state, which is returned. */
export async function finishSweep(transaction: Client, sweep: SweepId, state: SweepEndState | null, reason: string | null = null): Promise<SweepEndState> {
  await lockSweep(transaction, sweep);
  // The lease number goes up: an attempt that outlives the sweep must not write into the next run of it.
  await transaction.$executeRaw`
    UPDATE shards SET state = 'planned', lease = lease + 1
    WHERE sweep_id = ${sweep} AND state = 'leased'`;
  await adoptForSweep(transaction, sweep);
  const end = state ?? (await endState(transaction, sweep));
  const changed = await transaction.$executeRaw`
    UPDATE sweeps SET state = ${end}::sweep_state, reason = ${reason}, updated_at = now()
    WHERE id = ${sweep} AND state = ANY (${sweepStatesBefore(end)}::sweep_state[])`;
  if (changed > 0) return end;
  const row = await transaction.sweep.findUnique({ where: { id: sweep } });
  if (row === null) throw new RopesweepError('SWEEP_UNKNOWN', { where: `sweep ${sweep}`, what: 'it was never submitted' });
  return isEnded(row.state) ? row.state : end;
}
