/**
 * A shard that keeps killing its slot is cut in two, again and again, until the cell that does it is alone. The halves keep
 * the order of the plan, so that what shares prompt prefixes stays together.
 */
import { digest } from '../domain/identity.js';
import { id, type CellKey, type ShardId } from '../domain/ids.js';
import { randomUUID } from 'node:crypto';
import type { Client } from './database.js';
import { lockShard } from './shardRow.js';
import { adoptForShard } from './adoption.js';
import { OPEN_SHARDS } from './transitions.js';

/** @returns how many shards took its place: 2, or 0 where one cell or none is left, and then nothing was changed */
export async function splitShard(transaction: Client, shard: ShardId, crashes: number): Promise<number> {
  const before = await lockShard(transaction, shard);
  // Said again after its answer was lost: the halves are there.
  if (before.state === 'superseded') return 2;
  if (!OPEN_SHARDS.includes(before.state)) return 0;
  await adoptForShard(transaction, shard);
  const left = await transaction.$queryRaw<{ key: CellKey; tokens: number }[]>`
    SELECT cell_key AS key, context_tokens AS tokens FROM memberships WHERE shard_id = ${shard} AND state = 'planned' ORDER BY ordinal, cell_key`;
  if (left.length < 2) return 0;
  const middle = Math.ceil(left.length / 2);
  const all = left.reduce((sum, { tokens }) => sum + tokens, 0);
  for (const half of [left.slice(0, middle), left.slice(middle)]) {
    const keys = half.map(({ key }) => key);
    const share = half.reduce((sum, { tokens }) => sum + tokens, 0) / all;
    const own = id<ShardId>(digest([...keys, randomUUID()]));
    await transaction.$executeRaw`
      INSERT INTO shards (id, sweep_id, revision, arm_id, task, ordinal, state, crashes,
        cost_prompt_tokens, cost_distinct_tokens, cost_flops, cost_kv_bytes, cost_peak_bytes)
      SELECT ${own}, sweep_id, revision, arm_id, task, ordinal, 'planned', crashes + ${crashes},
        (cost_prompt_tokens * ${share})::bigint, (cost_distinct_tokens * ${share})::bigint, cost_flops * ${share}, cost_kv_bytes, cost_peak_bytes
      FROM shards WHERE id = ${shard}`;
    await transaction.$executeRaw`
      UPDATE memberships SET shard_id = ${own} WHERE shard_id = ${shard} AND state = 'planned' AND cell_key = ANY (${keys}::text[])`;
  }
  await transaction.$executeRaw`UPDATE shards SET state = 'superseded', lease = lease + 1, ended_at = now() WHERE id = ${shard}`;
  return 2;
}
