/**
 * Loading a checkpoint takes up to minutes, and sweeps that share the workers of a class take turns at their queue. So a worker
 * that is given a shard whose checkpoint it does not hold passes it on, once, to one that is at a shard of that checkpoint:
 *
 *   if    another worker of the class that is alive has leased a shard of the same checkpoint,
 *   and   a shard waits, of no worse priority, for a checkpoint that this worker's free slots hold.
 *
 * It waits there for as long as loading it ten times would take, at least 15 and at most 60 seconds: then whoever is free has it.
 * Turns get longer by that, nothing is stranded on a worker that died, and a checkpoint that loads in no time is not waited for.
 */
import type { ShardId, WeightsId } from '../domain/ids.js';
import { HEARTBEAT, type Elsewhere } from '../domain/orchestration.js';
import type { Place } from '../domain/ports.js';
import type { Client } from './database.js';

/** A worker whose last heartbeat is older is not asked. */
const ALIVE_SECONDS = (2 * HEARTBEAT.everyMs) / 1000;
/** A load that takes less is cheaper than passing the shard on. */
const SHORTEST_LOAD_MS = 50;
const LOADS_WORTH_WAITING = 10;
/** Sweeps take turns of about this length at least. */
const SHORTEST_WAIT_MS = 15_000;
const LONGEST_WAIT_MS = 60_000;
/** Of the sweep's last ended shards. */
const LOADS_LOOKED_AT = 50;

export async function heldElsewhere(client: Client, shard: ShardId, { worker, deviceClass }: Place, idle: readonly WeightsId[]): Promise<Elsewhere | null> {
  if (idle.length === 0) return null;
  const [found] = await client.$queryRaw<{ queue: string; loadMs: number | null }[]>`
    WITH asked AS (
      SELECT h.sweep_id, a.weights_id, s.priority FROM shards h
      JOIN sweeps s ON s.id = h.sweep_id
      JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id
      WHERE h.id = ${shard} AND a.weights_id <> ALL (${[...idle]}::text[])
    ), running AS (
      SELECT s.id, s.priority, a.arm_id, a.weights_id FROM sweeps s JOIN arms a ON a.sweep_id = s.id WHERE s.state = 'running'
    )
    SELECT w.queue, (
      SELECT 1000 * sum(load_seconds) / nullif(sum(loads), 0) FROM (
        SELECT load_seconds, loads FROM shards WHERE sweep_id = asked.sweep_id AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT ${LOADS_LOOKED_AT}
      ) AS lately
    ) AS "loadMs"
    FROM asked
    JOIN running r ON r.weights_id = asked.weights_id
    JOIN shards h ON h.sweep_id = r.id AND h.state = 'leased' AND h.arm_id = r.arm_id
    JOIN workers w ON w.id = h.leased_by
    WHERE w.id <> ${worker} AND w.device_class = ${deviceClass} AND w.state = 'ready' AND w.queue <> ''
      AND w.heartbeat_at > now() - make_interval(secs => ${ALIVE_SECONDS}::int)
      AND EXISTS (
        SELECT FROM running mine JOIN shards waiting ON waiting.sweep_id = mine.id AND waiting.state = 'planned' AND waiting.arm_id = mine.arm_id AND waiting.device_class = ${deviceClass}
        WHERE mine.weights_id = ANY (${[...idle]}::text[]) AND mine.priority <= asked.priority)
    ORDER BY random() LIMIT 1`;
  if (found === undefined) return null;
  // Nobody may have told yet how long it takes.
  const loadMs = found.loadMs ?? SHORTEST_LOAD_MS;
  if (loadMs < SHORTEST_LOAD_MS) return null;
  return { queue: found.queue, waitMs: Math.round(Math.min(LONGEST_WAIT_MS, Math.max(SHORTEST_WAIT_MS, LOADS_WORTH_WAITING * loadMs))) };
}
