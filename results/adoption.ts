/**
 * Memberships take over what the store knows of their cells: a measurement's state whatever the sweep, an outcome's where
 * the sweep's current revision runs on the same device classes and engine version (results/cellOutcome.ts). Another sweep may measure a cell while
 * this one submits it: neither transaction sees the other's rows, so whoever looks next puts the state right.
 *
 * Everything that changes memberships locks them in the order of their cell keys: no two transactions wait in a circle.
 */
import type { CellKey, ShardId, SweepId } from '../domain/ids.js';
import { holdsFor, OF_REVISION } from './cellOutcome.js';
import { Prisma } from './generated/client.js';
import type { Client } from './database.js';

const adopt = (client: Client, which: Prisma.Sql) => client.$executeRaw`
  -- By itself, so that which index finds the members does not hang on what is guessed of the tables joined below.
  WITH members AS MATERIALIZED (
    SELECT sweep_id, cell_key, arm_id, state FROM memberships WHERE ${which} AND state NOT IN ('measured', 'diverged')
  ), news AS MATERIALIZED (
    SELECT m.sweep_id, m.cell_key, m.arm_id, coalesce(x.state::text, o.state::text)::cell_state AS state
    FROM members m
    JOIN sweeps s ON s.id = m.sweep_id
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    LEFT JOIN measurements x ON x.cell_key = m.cell_key
    LEFT JOIN outcomes o ON ${holdsFor(Prisma.sql`m.cell_key`, OF_REVISION)}
    WHERE m.state::text <> coalesce(x.state::text, o.state::text)
  ), locked AS MATERIALIZED (
    SELECT m.sweep_id, m.cell_key, m.arm_id, news.state
    FROM news JOIN memberships m ON (m.cell_key, m.sweep_id, m.arm_id) = (news.cell_key, news.sweep_id, news.arm_id)
    WHERE m.state NOT IN ('measured', 'diverged') AND m.state <> news.state
    ORDER BY m.cell_key, m.sweep_id, m.arm_id
    FOR UPDATE OF m
  )
  UPDATE memberships m SET state = locked.state
  FROM locked
  WHERE (m.cell_key, m.sweep_id, m.arm_id) = (locked.cell_key, locked.sweep_id, locked.arm_id)`;

/** For the cells of one shard. */
export const adoptForShard = (client: Client, shard: ShardId) => adopt(client, Prisma.sql`shard_id = ${shard}`);

/** For all cells of a sweep. */
export const adoptForSweep = (client: Client, sweep: SweepId) => adopt(client, Prisma.sql`sweep_id = ${sweep}`);

/** For these cells in every sweep that has them. */
export const adoptForCells = (client: Client, keys: readonly CellKey[]) => adopt(client, Prisma.sql`cell_key = ANY (${keys}::text[])`);
