/**
 * Cells of a shard that another device class is to try go into a shard of that class: too large for the shard's own, or no longer
 * (a retry has forgotten that they were).
 */
import { groupBy } from '../domain/groupBy.js';
import type { CellKey } from '../domain/ids.js';
import { classOfCell, holdsFor, OF_REVISION } from './cellOutcome.js';
import type { Client } from './database.js';
import { Prisma } from './generated/client.js';
import { insertPart } from './shardParts.js';
import type { ShardRow } from './shardRow.js';

interface MovingCell {
  readonly key: CellKey;
  readonly tokens: number;
  readonly deviceClass: string;
  /** Of all cells of the shard. */
  readonly shardTokens: number;
}

const KEY = Prisma.sql`m.cell_key`;

/** Of a locked shard, before its cells take over what the store knows of them. What they cost goes with them. */
export async function handOn(transaction: Client, { id: shard, deviceClass: own, largerDeviceClass }: Pick<ShardRow, 'id' | 'deviceClass' | 'largerDeviceClass'>): Promise<void> {
  if (largerDeviceClass === null) return;
  const moving = await transaction.$queryRaw<MovingCell[]>`
    SELECT m.cell_key AS key, m.context_tokens AS tokens, ${classOfCell(KEY, OF_REVISION)} AS "deviceClass",
           (SELECT sum(context_tokens)::float8 FROM memberships WHERE shard_id = ${shard}) AS "shardTokens"
    FROM memberships m
    JOIN sweeps s ON s.id = m.sweep_id
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    WHERE m.shard_id = ${shard} AND m.state = 'planned' AND ${classOfCell(KEY, OF_REVISION)} <> ${own}
      -- Joined by OR they are looked up for the few cells that come so far; apart they would be joins over whole tables.
      AND NOT (EXISTS (SELECT FROM measurements x WHERE x.cell_key = m.cell_key) OR EXISTS (SELECT FROM outcomes o WHERE ${holdsFor(KEY, OF_REVISION)}))
    ORDER BY m.cell_key FOR UPDATE OF m`;
  let left = 1;
  for (const [deviceClass, cells] of groupBy(moving, (cell) => cell.deviceClass)) {
    const share = cells.reduce((sum, { tokens, shardTokens }) => sum + tokens / shardTokens, 0);
    await insertPart(transaction, shard, { keys: cells.map(({ key }) => key), share, crashes: 0, deviceClass });
    left -= share;
  }
  if (moving.length === 0) return;
  await transaction.$executeRaw`
    UPDATE shards SET handed_on = handed_on + ${moving.length}::int, cost_flops = cost_flops * ${left}::float8,
      cost_prompt_tokens = (cost_prompt_tokens * ${left}::float8)::bigint, cost_distinct_tokens = (cost_distinct_tokens * ${left}::float8)::bigint
    WHERE id = ${shard}`;
}
