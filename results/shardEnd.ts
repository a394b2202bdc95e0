/**
 * How an attempt at a shard ends, and how a shard is given up.
 */
import type { CellKey, ShardId } from '../domain/ids.js';
import type { ShardStats } from '../domain/measurement.js';
import type { Lease } from '../domain/ports.js';
import type { Failure } from '../domain/orchestration.js';
import { adoptForCells, adoptForShard } from './adoption.js';
import { closeAttempt } from './attempts.js';
import type { Client } from './database.js';
import { deriveDivergences } from './divergences.js';
import { handOn } from './handOn.js';
import { insertOutcomes } from './recording.js';
import { findShard, leaseLost, lockShard } from './shardRow.js';
import { OPEN_SHARDS } from './transitions.js';

const openCells = (client: Client, shard: ShardId) =>
  client.$queryRaw<{ key: CellKey }[]>`SELECT cell_key AS key FROM memberships WHERE shard_id = ${shard} AND state = 'planned'`;

/**
 * Done if every cell has a measurement or outcome, else planned again. Saying it twice is saying it once.
 *
 * @returns cells that went from the shard to another device class, over all its attempts
 * @throws RopesweepError LEASE_LOST
 */
export async function finishShard(transaction: Client, lease: Lease, stats: ShardStats | null, failure: Failure | null): Promise<number> {
  const row = await lockShard(transaction, lease.shard);
  if (row.lease !== lease.number || row.state === 'superseded' || row.state === 'failed') throw leaseLost(lease, row);
  if (row.state !== 'leased') return row.handedOn;
  await closeAttempt(transaction, lease, failure);
  await adoptForShard(transaction, lease.shard);
  const open = await openCells(transaction, lease.shard);
  const none = { promptTokens: 0, distinctTokens: 0, computedTokens: 0, completionTokens: 0, loadSeconds: 0, runSeconds: 0 };
  const { promptTokens, distinctTokens, computedTokens, completionTokens, loadSeconds, runSeconds } = stats ?? none;
  await transaction.shard.update({
    where: { id: lease.shard },
    data: {
      ...(open.length === 0 ? { state: 'done', endedAt: new Date() } : { state: 'planned' }),
      promptTokens: { increment: BigInt(promptTokens) },
      distinctTokens: { increment: BigInt(distinctTokens) },
      computedTokens: { increment: BigInt(computedTokens) },
      completionTokens: { increment: BigInt(completionTokens) },
      loads: { increment: loadSeconds > 0 ? 1 : 0 },
      loadSeconds: { increment: loadSeconds },
      runSeconds: { increment: runSeconds },
    },
  });
  if (open.length === 0) await deriveDivergences(transaction, (await findShard(transaction, lease.shard)).sweep);
  return row.handedOn;
}

/**
 * Quarantines what is left of an open shard. It takes a lease of its own to do so, so that an attempt which is still
 * alive somewhere can write no more.
 */
export async function failShard(transaction: Client, shard: ShardId, code: string, reason: string, attempts: number): Promise<void> {
  const before = await lockShard(transaction, shard);
  if (!OPEN_SHARDS.includes(before.state)) return;
  const row = await findShard(transaction, shard);
  await handOn(transaction, row);
  await adoptForShard(transaction, shard);
  const keys = (await openCells(transaction, shard)).map(({ key }) => key).sort();
  if (keys.length > 0) {
    await insertOutcomes(transaction, row, keys.map((key) => ({ key, state: 'failed', code, reason, attempts })));
    await adoptForCells(transaction, keys);
  }
  await transaction.shard.update({
    where: { id: shard },
    data: {
      state: keys.length > 0 ? 'failed' : 'done',
      lease: { increment: 1 },
      endedAt: new Date(),
      ...(keys.length > 0 ? { errorCode: code, errorReason: reason } : {}),
    },
  });
}
