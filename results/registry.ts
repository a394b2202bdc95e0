/** The registry of workers. */
import { FAILURES } from '../domain/orchestration.js';
import type { HeldShard, WorkerBeat, WorkerProcess, WorkerRow, WorkerStanding } from '../domain/ports.js';
import type { Client } from './database.js';

/** Registering again (after PostgreSQL was lost) replaces the row. */
export async function registerWorker(client: Client, { id, memoryBytes, ...worker }: WorkerRow): Promise<void> {
  const row = { ...worker, memoryBytes: memoryBytes === null ? null : BigInt(memoryBytes), state: 'ready', reason: null, loaded: [] };
  await client.worker.upsert({ where: { id }, create: { id, ...row }, update: row });
  await heartbeatWorker(client, id, { draining: false, loaded: [] });
}

/** By the clock of the database, which readers compare it with. A worker that was set aside stays so. */
export async function heartbeatWorker(client: Client, id: string, { draining, loaded }: WorkerBeat): Promise<WorkerStanding | null> {
  const [standing] = await client.$queryRaw<WorkerStanding[]>`
    UPDATE workers SET heartbeat_at = now(), loaded = ${[...loaded]}::text[],
      state = CASE WHEN state = 'aside' THEN state WHEN ${draining} THEN 'draining' ELSE 'ready' END
    WHERE id = ${id} RETURNING state, reason`;
  return standing ?? null;
}

/** An id names a process by its pid, which a new process may have been given since: its row stays. */
export async function unregisterWorker(client: Client, { id, processStarted }: WorkerProcess): Promise<void> {
  await client.worker.deleteMany({ where: { id, processStarted } });
}

export function workerProcesses(client: Client): Promise<WorkerProcess[]> {
  return client.worker.findMany({ select: { id: true, pid: true, processStarted: true }, orderBy: { id: 'asc' } });
}

/**
 * The leases stay until another attempt takes them: whoever was thought to be gone and is not may still write.
 *
 * @returns null where the id is no longer that process's
 */
export async function loseWorker(transaction: Client, { id, processStarted }: WorkerProcess): Promise<HeldShard[] | null> {
  // Locked, so that a new process with its pid registers before or after and has no attempts meanwhile.
  const [row] = await transaction.$queryRaw<{ id: string }[]>`
    SELECT id FROM workers WHERE id = ${id} AND process_started = ${processStarted} FOR NO KEY UPDATE`;
  if (row === undefined) return null;
  await transaction.$executeRaw`
    UPDATE shard_attempts SET ended_at = now(), code = ${FAILURES.workerLost}, reason = 'its process is gone'
    WHERE worker = ${id} AND ended_at IS NULL`;
  return transaction.$queryRaw<HeldShard[]>`
    SELECT sweep_id AS sweep, id AS shard FROM shards WHERE state = 'leased' AND leased_by = ${id} ORDER BY id`;
}
