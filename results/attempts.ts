/**
 * Attempts at shards, one row a lease: who had it, how it ended, and what that says of the worker.
 */
import type { Failure } from '../domain/orchestration.js';
import type { Lease, Place } from '../domain/ports.js';
import type { Client } from './database.js';

/** The attempt before, if nobody told its end, ended with its worker. */
export async function openAttempt(client: Client, { shard, number }: Lease, { worker, deviceClass }: Place): Promise<void> {
  await client.$executeRaw`
    WITH lost AS (
      UPDATE shard_attempts SET ended_at = now(), code = 'WORKER_LOST', reason = 'nobody told how the attempt ended'
      WHERE shard_id = ${shard} AND ended_at IS NULL
    )
    INSERT INTO shard_attempts (shard_id, lease, worker, device_class) VALUES (${shard}, ${number}, ${worker}, ${deviceClass})`;
}

export async function closeAttempt(client: Client, { shard, number }: Lease, failure: Failure | null): Promise<void> {
  await client.$executeRaw`
    UPDATE shard_attempts SET ended_at = now(), code = ${failure?.code ?? null}, reason = ${failure?.reason ?? null}
    WHERE shard_id = ${shard} AND lease = ${number}`;
  if (failure !== null && NODE_CODES.includes(failure.code)) await judgeWorker(client, { shard, number });
}

/** Failures that may lie in the node: a sound one does not have them again and again. */
const NODE_CODES: readonly string[] = ['SLOT_CRASHED', 'SLOT_SILENT', 'DEVICE_BROKEN', 'WEIGHTS_MISMATCH', 'CHECKPOINT_MISSING', 'CHECKPOINT_INVALID', 'TABLE_MISMATCH', 'DOCUMENT_MISMATCH', 'INTERNAL'];
/** So many failures in a row, on more than one shard, look like the node. */
const FAILURES_IN_A_ROW = 3;

/**
 * Sets a worker aside whose last attempts all failed in a way that may lie in the node, while others of its class got on: since
 * the first of those failures another worker has ended a shard well, and none of the failed shards has failed elsewhere.
 */
async function judgeWorker(client: Client, { shard, number }: Lease): Promise<void> {
  await client.$executeRaw`
    WITH own AS (
      SELECT worker, device_class FROM shard_attempts WHERE shard_id = ${shard} AND lease = ${number}
    ), recent AS (
      SELECT t.* FROM shard_attempts t JOIN own ON own.worker = t.worker
      WHERE t.ended_at IS NOT NULL ORDER BY t.ended_at DESC LIMIT ${FAILURES_IN_A_ROW}
    ), verdict AS (
      SELECT min(leased_at) AS since,
             count(*) = ${FAILURES_IN_A_ROW} AND bool_and(coalesce(code, '') = ANY (${[...NODE_CODES]}::text[])) AND count(DISTINCT shard_id) > 1 AS fails
      FROM recent
    )
    UPDATE workers w SET state = 'aside', reason = (SELECT format('its last %s attempts failed while other workers got on: %s', ${FAILURES_IN_A_ROW}::int, string_agg(DISTINCT code || ' ' || coalesce(reason, ''), '; ')) FROM recent)
    FROM own, verdict
    WHERE w.id = own.worker AND w.state <> 'aside' AND verdict.fails
      AND EXISTS (
        SELECT FROM shard_attempts t WHERE t.worker <> own.worker AND t.device_class = own.device_class
          AND t.leased_at >= verdict.since AND t.ended_at IS NOT NULL AND t.code IS NULL)
      AND NOT EXISTS (
        SELECT FROM shard_attempts t JOIN recent ON recent.shard_id = t.shard_id
        WHERE t.worker <> own.worker AND t.code = ANY (${[...NODE_CODES]}::text[]))`;
}
