/**
 * A shard that keeps killing its slot is cut in two, again and again, until the cell that does it is alone. The halves keep
 * the order of the plan, so that what shares prompt prefixes stays together.
 */
import type { CellKey, ShardId } from '../domain/ids.js';
import { adoptForShard } from './adoption.js';
import type { Client } from './database.js';
import { insertPart } from './shardParts.js';
import { lockShard } from './shardRow.js';
import { OPEN_SHARDS } from './transitions.js';

/** @returns how many shards took its place: 2, or 0 where one cell or none is left, and then nothing was changed */
export async function splitShard(transaction: Client, shard: ShardId, crashes: number): Promise<number> {
  const before = await lockShard(transaction, shard);
  // Said again after its answer was lost: the halves are there.
  if (before.state === 'superseded') return 2;
  if (!OPEN_SHARDS.includes(before.state)) return 0;
  await adoptForShard(transaction, shard);
  const left = await transaction.$queryRaw<{ key: CellKey; tokens: number; crashes: number }[]>`
    SELECT m.cell_key AS key, m.context_tokens AS tokens, h.crashes FROM memberships m JOIN shards h ON h.id = m.shard_id
    WHERE m.shard_id = ${shard} AND m.state = 'planned' ORDER BY m.ordinal, m.cell_key`;
  if (left.length < 2) return 0;
  const middle = Math.ceil(left.length / 2);
  const tokensOf = (cells: typeof left): number => cells.reduce((sum, { tokens }) => sum + tokens, 0);
  for (const half of [left.slice(0, middle), left.slice(middle)]) {
    await insertPart(transaction, shard, { keys: half.map(({ key }) => key), share: tokensOf(half) / tokensOf(left), crashes: (left[0]?.crashes ?? 0) + crashes });
  }
  await transaction.$executeRaw`UPDATE shards SET state = 'superseded', lease = lease + 1, ended_at = now() WHERE id = ${shard}`;
  return 2;
}
