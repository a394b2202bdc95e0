/** The registry of workers. */
import type { WorkerRow } from '../domain/ports.js';
import type { Client } from './database.js';

/** Registering again (after PostgreSQL was lost) replaces the row. */
export async function registerWorker(client: Client, { id, ...worker }: WorkerRow): Promise<void> {
  await client.worker.upsert({ where: { id }, create: { id, ...worker }, update: worker });
  await heartbeatWorker(client, id);
}

/** By the clock of the database, which readers compare it with. */
export async function heartbeatWorker(client: Client, id: string): Promise<void> {
  await client.$executeRaw`UPDATE workers SET heartbeat_at = now() WHERE id = ${id}`;
}

export async function unregisterWorker(client: Client, id: string): Promise<void> {
  await client.worker.deleteMany({ where: { id } });
}
