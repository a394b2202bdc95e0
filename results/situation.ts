/**
 * What the store knows of why a sweep gets on or does not.
 */
import type { SweepId } from '../domain/ids.js';
import type { StoreSituation } from '../domain/ports.js';
import type { Client } from './database.js';
import { status, triedAgainBy } from './status.js';

/** A worker whose heartbeat is older than this is taken for gone. */
export const SILENT_SECONDS = 40;
/** Failures that are told are this young. */
const RECENT_MINUTES = 15;

/** null if there is no sweep of that name */
export async function situation(client: Client, sweep: SweepId): Promise<StoreSituation | null> {
  const now = await status(client, sweep);
  if (now === null) return null;
  const workers = await client.$queryRaw<StoreSituation['workers'][number][]>`
    SELECT w.id, w.device_class AS "deviceClass", w.slots, w.state, w.reason, w.self_test AS "selfTest",
           extract(epoch FROM now() - w.heartbeat_at)::float8 AS "silentSeconds",
           (SELECT count(*)::int FROM shards h WHERE h.state = 'leased' AND h.leased_by = w.id) AS "shards"
    FROM workers w ORDER BY w.id`;
  const failures = await client.$queryRaw<StoreSituation['failures'][number][]>`
    SELECT t.code, count(*)::int AS attempts, (array_agg(t.reason ORDER BY t.ended_at DESC))[1] AS reason
    FROM shard_attempts t JOIN shards h ON h.id = t.shard_id
    WHERE h.sweep_id = ${sweep} AND t.code IS NOT NULL AND t.ended_at > now() - make_interval(mins => ${RECENT_MINUTES}::int)
    GROUP BY t.code ORDER BY count(*) DESC`;
  const rivals = await client.$queryRaw<StoreSituation['rivals'][number][]>`
    SELECT s.id AS sweep, s.priority, count(h.id)::int AS shards
    FROM sweeps s JOIN shards h ON h.sweep_id = s.id AND h.state = 'leased'
    WHERE s.id <> ${sweep} AND s.state = 'running' GROUP BY s.id, s.priority ORDER BY s.priority, s.id`;
  const again = now.cells.failed + now.cells.infeasible === 0 ? [] : await triedAgainBy(client, sweep);
  return { status: now, workers: workers.map((worker) => ({ ...worker, alive: worker.silentSeconds < SILENT_SECONDS })), failures, triedAgainBy: again, rivals };
}
