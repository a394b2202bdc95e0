/**
 * Memberships take over what the store knows of their cells: a measurement's state whatever the sweep, an outcome's where
 * the sweep's current revision runs on the same device class and engine version. Another sweep may measure a cell while
 * this one submits it: neither transaction sees the other's rows, so whoever looks next puts the state right.
 *
 * Everything that changes memberships locks them in the order of their cell keys: no two transactions wait in a circle.
 */
import type { CellKey, ShardId, SweepId } from '../domain/ids.js';
import { Prisma } from './generated/client.js';
import type { Client } from './database.js';

const adopt = (client: Client, which: Prisma.Sql) => client.$executeRaw`
  WITH news AS MATERIALIZED (
    SELECT m.sweep_id, m.cell_key, m.arm_id, coalesce(x.state::text, o.state::text)::cell_state AS state
    FROM memberships m
    JOIN sweeps s ON s.id = m.sweep_id
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    LEFT JOIN measurements x ON x.cell_key = m.cell_key
    LEFT JOIN outcomes o
      ON o.cell_key = m.cell_key AND o.device_class = r.device_class AND o.engine_version = r.engine_version
    WHERE ${which} AND m.state NOT IN ('measured', 'diverged')
      -- Only these are locked: a sweep may have a million others.
      AND m.state::text <> coalesce(x.state::text, o.state::text)
    ORDER BY m.cell_key, m.sweep_id, m.arm_id
    FOR UPDATE OF m
  )
  UPDATE memberships m SET state = news.state
  FROM news
  WHERE (m.sweep_id, m.cell_key, m.arm_id) = (news.sweep_id, news.cell_key, news.arm_id)`;

/** For the cells of one shard. */
export const adoptForShard = (client: Client, shard: ShardId) => adopt(client, Prisma.sql`m.shard_id = ${shard}`);

/** For all cells of a sweep. */
export const adoptForSweep = (client: Client, sweep: SweepId) => adopt(client, Prisma.sql`m.sweep_id = ${sweep}`);

/** For these cells in every sweep that has them. */
export const adoptForCells = (client: Client, keys: readonly CellKey[]) => adopt(client, Prisma.sql`m.cell_key = ANY (${keys}::text[])`);
