/**
 * Memberships take over what the store knows of their cells. Another sweep may measure a cell while this one submits it:
 * neither transaction sees the other's rows, so whoever looks next puts the state right.
 *
 * Everything that changes memberships locks them in the order of their cell keys: no two transactions wait in a circle.
 */
import { Prisma } from './generated/client.js';
import type { Client } from './database.js';

const adopt = (client: Client, which: Prisma.Sql) => client.$executeRaw`
  WITH members AS MATERIALIZED (
    SELECT sweep_id, cell_key, arm_id FROM memberships
    WHERE ${which} AND state = 'planned'
    ORDER BY cell_key, sweep_id, arm_id
    FOR UPDATE
  ), news AS (
    SELECT m.*, coalesce(x.state::text, o.state::text)::cell_state AS state
    FROM members m
    JOIN sweeps s ON s.id = m.sweep_id
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    LEFT JOIN measurements x ON x.cell_key = m.cell_key
    LEFT JOIN outcomes o
      ON o.cell_key = m.cell_key AND o.device_class = r.device_class AND o.engine_version = r.engine_version
    WHERE x.cell_key IS NOT NULL OR o.cell_key IS NOT NULL
  )
  UPDATE memberships m SET state = news.state
  FROM news WHERE (m.sweep_id, m.cell_key, m.arm_id) = (news.sweep_id, news.cell_key, news.arm_id) AND m.state = 'planned'`;

/** For the planned cells of one shard. */
export const adoptForShard = (client: Client, shard: string) => adopt(client, Prisma.sql`shard_id = ${shard}`);

/** For all planned cells of a sweep. */
export const adoptForSweep = (client: Client, sweep: string) => adopt(client, Prisma.sql`sweep_id = ${sweep}`);
