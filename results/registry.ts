/** The registry of workers. */
import type { WorkerBeat, WorkerRow, WorkerStanding } from '../domain/ports.js';
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

export async function unregisterWorker(client: Client, id: string): Promise<void> {
  await client.worker.deleteMany({ where: { id } });
}
