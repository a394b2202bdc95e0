/**
 * What Temporal says of task queues, kept for some days: its server forgets, and dashboards read the store alone.
 */
import type { QueueSample } from '../domain/ports.js';
import { SWEEP_END_STATES } from '../domain/states.js';
import type { Client } from './database.js';

/** Samples that are older are removed: with one every 30 s, 20,160 of each queue are kept. */
const KEPT_DAYS = 7;

/** Device classes that some sweep that has not ended wants, or some worker has. */
export async function deviceClassesInUse(client: Client): Promise<string[]> {
  const rows = await client.$queryRaw<{ deviceClass: string }[]>`
    SELECT r.device_class AS "deviceClass" FROM sweeps s JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    WHERE NOT s.state = ANY (${[...SWEEP_END_STATES]}::sweep_state[])
    UNION
    SELECT r.larger_device_class FROM sweeps s JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    WHERE r.larger_device_class IS NOT NULL AND NOT s.state = ANY (${[...SWEEP_END_STATES]}::sweep_state[])
    UNION SELECT device_class FROM workers ORDER BY 1`;
  return rows.map(({ deviceClass }) => deviceClass);
}

/** By the clock of the database. Of several control workers that sample in one moment each adds its own. */
export async function saveQueueSamples(transaction: Client, samples: readonly QueueSample[]): Promise<void> {
  await transaction.$executeRaw`DELETE FROM queue_samples WHERE sampled_at < now() - make_interval(days => ${KEPT_DAYS}::int)`;
  await transaction.$executeRaw`
    INSERT INTO queue_samples (queue, kind, backlog, backlog_age_seconds, added_per_second, dispatched_per_second, pollers)
    SELECT queue, kind, backlog, "backlogAgeSeconds", "addedPerSecond", "dispatchedPerSecond", pollers
    FROM jsonb_to_recordset(${JSON.stringify(samples)}::jsonb) AS s(
      queue text, kind text, backlog int, "backlogAgeSeconds" float8, "addedPerSecond" float8, "dispatchedPerSecond" float8, pollers int)
    ON CONFLICT DO NOTHING`;
}
