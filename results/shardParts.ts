/**
 * New shards made of some cells of an old one: of what a crash left, of what is to be tried again or elsewhere. They keep the place of
 * the old one in the order of starting, and its cost by their share of its tokens.
 */
import { randomUUID } from 'node:crypto';
import { digest } from '../domain/identity.js';
import { id, type CellKey, type ShardId } from '../domain/ids.js';
import type { Client } from './database.js';

export interface ShardPart {
  readonly keys: readonly CellKey[];
  /** Of the tokens of the old shard, 0..1. */
  readonly share: number;
  /** Slot crashes that it is to know of. */
  readonly crashes: number;
  /** Absent: that of the old shard. */
  readonly deviceClass?: string;
}

/** Moves planned cells of `shard` into a shard of their own. */
export async function insertPart(transaction: Client, shard: ShardId, { keys, share, crashes, deviceClass }: ShardPart): Promise<void> {
  // Ids are digests of cells; these cells may have been a shard before.
  const own = id<ShardId>(digest([...keys, randomUUID()]));
  await transaction.$executeRaw`
    INSERT INTO shards (id, sweep_id, revision, arm_id, task, device_class, ordinal, state, crashes,
      cost_prompt_tokens, cost_distinct_tokens, cost_flops, cost_kv_bytes, cost_peak_bytes)
    SELECT ${own}, sweep_id, revision, arm_id, task, coalesce(${deviceClass ?? null}, device_class), ordinal, 'planned', ${crashes},
      (cost_prompt_tokens * ${share}::float8)::bigint, (cost_distinct_tokens * ${share}::float8)::bigint, cost_flops * ${share}::float8, cost_kv_bytes, cost_peak_bytes
    FROM shards WHERE id = ${shard}`;
  await transaction.$executeRaw`
    UPDATE memberships SET shard_id = ${own} WHERE shard_id = ${shard} AND state = 'planned' AND cell_key = ANY (${[...keys]}::text[])`;
}
