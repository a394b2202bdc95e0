/**
 * The shards of a plan on their way in: which go on, which are superseded, which id a new one gets.
 */
import { randomUUID } from 'node:crypto';
import { digest } from '../domain/identity.js';
import { id, type ArmId, type CellKey, type ShardId, type SweepId } from '../domain/ids.js';
import type { Plan, PlannedShard } from '../domain/plan.js';
import type { Client } from './database.js';
import type { ShardOfCell } from './memberships.js';
import { OPEN_SHARDS } from './transitions.js';

export interface OpenShard {
  readonly id: ShardId;
  readonly deviceClass: string;
  readonly revision: number;
}

/** Before any membership is locked: whoever writes results holds its shard first. */
export const lockOpenShards = (transaction: Client, sweep: SweepId): Promise<OpenShard[]> =>
  transaction.$queryRaw<OpenShard[]>`
    SELECT id, device_class AS "deviceClass", revision FROM shards WHERE sweep_id = ${sweep} AND state = ANY (${OPEN_SHARDS}::shard_state[])
    ORDER BY id FOR NO KEY UPDATE`;

/** By checkpoint in the order of the arms, longest first within one: a slot keeps what it has loaded. */
function inOrderOfStart(plan: Pick<Plan, 'arms' | 'shards'>): Map<ShardId, number> {
  const weightsOf = new Map(plan.arms.map((arm) => [arm.id, arm.checkpoint.weightsId]));
  const rank = new Map<string | undefined, number>();
  for (const weights of weightsOf.values()) if (!rank.has(weights)) rank.set(weights, rank.size);
  const checkpoint = (shard: PlannedShard) => rank.get(weightsOf.get(shard.armId)) ?? rank.size;
  const sorted = [...plan.shards].sort(
    (a, b) => checkpoint(a) - checkpoint(b) || b.cost.flops - a.cost.flops || (a.id < b.id ? -1 : 1),
  );
  return new Map(sorted.map((shard, ordinal) => [shard.id, ordinal]));
}

/**
 * Open shards of older revisions are superseded, but for those that the plan has again on the same device class: they go on as
 * they are, leases included. A shard id is the digest of its cells, so an ended shard or another sweep may hold it: then the new one gets
 * an id of its own.
 *
 * @param shards of the plan: all, or those that nobody computes
 * @returns the shard of each cell of `shards`
 */
export async function insertShards(
  transaction: Client,
  plan: Pick<Plan, 'sweep' | 'arms' | 'shards'>,
  revision: number,
  open: readonly OpenShard[],
  shards: readonly PlannedShard[],
): Promise<ShardOfCell> {
  const ordinals = inOrderOfStart(plan);
  const planned = new Map(shards.map((shard) => [shard.id, shard.deviceClass]));
  const goOn = open.filter((shard) => planned.get(shard.id) === shard.deviceClass);
  const openIds = new Set(goOn.map((shard) => shard.id));
  const old = open.filter((shard) => shard.revision < revision && !openIds.has(shard.id)).map((shard) => shard.id);
  await transaction.$executeRaw`
    UPDATE shards SET state = 'superseded', ended_at = now() WHERE id = ANY (${old}::text[])`;
  if (shards.length === 0) return new Map();

  const held = await transaction.$queryRaw<{ id: ShardId }[]>`SELECT id FROM shards WHERE id = ANY (${[...planned.keys()]}::text[])`;
  const heldIds = new Set(held.map((shard) => shard.id));
  const ownIds = shards.map((shard) => (openIds.has(shard.id) || !heldIds.has(shard.id) ? shard.id : id<ShardId>(digest([shard.id, randomUUID()]))));
  const rows = shards.map((shard, index) => ({
    id: ownIds[index],
    arm: shard.armId,
    task: shard.task,
    class: shard.deviceClass,
    ordinal: ordinals.get(shard.id) ?? 0,
    ...shard.cost,
  }));
  // Of those that go on only the place in the new plan changes; they are locked already.
  await transaction.$executeRaw`
    INSERT INTO shards (
      id, sweep_id, revision, arm_id, task, device_class, ordinal, state, cost_prompt_tokens, cost_distinct_tokens, cost_flops, cost_kv_bytes, cost_peak_bytes)
    SELECT r.id, ${plan.sweep}, ${revision}, r.arm, r.task, r.class, r.ordinal, 'planned',
           r."promptTokens", r."distinctTokens", r.flops, r."kvBytes", r."peakBytes"
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r(
      id text, arm text, task int, class text, ordinal int, "promptTokens" int8, "distinctTokens" int8, flops float8, "kvBytes" int8, "peakBytes" int8)
    ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, task = excluded.task, ordinal = excluded.ordinal`;

  const shardOfCell = new Map<ArmId, Map<CellKey, ShardId>>();
  for (const [index, shard] of shards.entries()) {
    const ownId = ownIds[index] ?? shard.id;
    let ofArm = shardOfCell.get(shard.armId);
    if (ofArm === undefined) shardOfCell.set(shard.armId, (ofArm = new Map<CellKey, ShardId>()));
    for (const key of shard.cellKeys) ofArm.set(key, ownId);
  }
  return shardOfCell;
}
