/**
 * How sweeps stand, from counters that are kept as cells change.
 */
import type { SweepId } from '../domain/ids.js';
import type { OutcomeRow, StoreSituation, SweepStatus } from '../domain/ports.js';
import { SHARD_STATES, SWEEP_END_STATES, type ShardState, type SweepState } from '../domain/states.js';
import type { Client } from './database.js';
import { isShownFor, OF_REVISION } from './cellOutcome.js';
import { Prisma } from './generated/client.js';
import { shardWork } from './shardWork.js';
import { OPEN_SHARDS } from './transitions.js';

interface StatusRow {
  readonly sweep: SweepId;
  readonly revision: number;
  readonly state: SweepState;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly planned: number;
  readonly measured: number;
  readonly diverged: number;
  readonly infeasible: number;
  readonly failed: number;
  readonly reason: string | null;
  readonly concurrency: number;
  readonly priority: number;
  /** null where it has no shards. */
  readonly work: readonly ShardGroup[] | null;
}

/** Shards of one state and device class. */
interface ShardGroup {
  readonly state: ShardState;
  readonly deviceClass: string;
  readonly shards: number;
  readonly loads: number;
  /** Of leased shards: cells that have not ended. */
  readonly openCells: number;
}

async function statusRows(client: Client, which: Prisma.Sql): Promise<SweepStatus[]> {
  const rows = await client.$queryRaw<StatusRow[]>`
    SELECT s.id AS sweep, s.revision, s.state::text AS state, s.created_at AS "createdAt", s.updated_at AS "updatedAt",
           s.reason, s.concurrency, s.priority, p.planned, p.measured, p.diverged, p.infeasible, p.failed,
           (SELECT jsonb_agg(w) FROM (
             SELECT state, device_class AS "deviceClass", sum(shards) AS shards, sum(loads) AS loads, sum(open_cells) AS "openCells"
             FROM ${shardWork(Prisma.sql`s.id`)} AS of_arms GROUP BY state, device_class) AS w) AS work
    FROM sweeps s JOIN sweep_progress p ON p.sweep_id = s.id
    WHERE ${which}
    ORDER BY s.updated_at DESC, s.id`;
  return rows.map(({ work, planned, measured, diverged, infeasible, failed, ...row }) => {
    const sum = (of: readonly ShardGroup[], value: (group: ShardGroup) => number): number => of.reduce((total, group) => total + value(group), 0);
    const groups = work ?? [];
    return {
      ...row,
      cells: { total: planned + measured + diverged + infeasible + failed, planned, measured, diverged, infeasible, failed },
      runningCells: sum(groups, ({ openCells }) => openCells),
      openClasses: [...new Set(groups.filter(({ state }) => OPEN_SHARDS.includes(state)).map(({ deviceClass }) => deviceClass))].sort(),
      loads: sum(groups, ({ loads }) => loads),
      shards: Object.fromEntries(SHARD_STATES.map((state) => [state, sum(groups.filter((group) => group.state === state), ({ shards }) => shards)])) as Record<ShardState, number>,
    };
  });
}

export const status = async (client: Client, sweep: SweepId): Promise<SweepStatus | null> =>
  (await statusRows(client, Prisma.sql`s.id = ${sweep}`))[0] ?? null;

/** All sweeps, the one that changed last first. */
export const sweeps = (client: Client): Promise<SweepStatus[]> => statusRows(client, Prisma.sql`true`);

/** Of a membership `again` in a sweep `s`. */
const IS_TRIED_AGAIN = Prisma.sql`(again.state = 'planned' AND s.state <> ALL (${[...SWEEP_END_STATES]}::sweep_state[]))`;

/** Sweeps that are to try cells again which have no numbers in this one. */
export const triedAgainBy = (client: Client, sweep: SweepId): Promise<StoreSituation['triedAgainBy']> =>
  client.$queryRaw<StoreSituation['triedAgainBy'][number][]>`
    SELECT s.id AS sweep, count(*)::int AS cells
    FROM memberships m
    JOIN memberships again ON again.cell_key = m.cell_key AND again.sweep_id <> m.sweep_id
    JOIN sweeps s ON s.id = again.sweep_id
    WHERE m.sweep_id = ${sweep} AND m.state IN ('infeasible', 'failed') AND ${IS_TRIED_AGAIN}
    GROUP BY s.id ORDER BY s.id`;

/** In the order of the cells in the plan. */
export async function outcomes(client: Client, sweep: SweepId): Promise<OutcomeRow[]> {
  const rows = await client.$queryRaw<(Omit<OutcomeRow, 'axes'> & Record<'depth' | 'seed' | 'document', number | string | null>)[]>`
    SELECT m.cell_key AS key, a.label AS "armLabel", a.model, a.method ->> 'name' AS method, a.method_label AS "methodLabel",
           (a.method ->> 'factor')::float8 AS factor, a.continual_pretrain_context_tokens AS "continualPretrainContextTokens",
           a.original_context_tokens AS "originalContextTokens", m.task, m.task_kind::text AS "taskKind", m.origin::text AS origin,
           m.context_tokens AS "contextTokens", m.depth, m.seed, m.document,
           o.state::text AS state, o.device_class AS "deviceClass", o.code, o.reason,
           -- What was forgotten counts for those to whom it is shown.
           (SELECT sum(t.attempts)::int FROM outcomes t WHERE t.cell_key = m.cell_key AND t.engine_version = r.engine_version
            AND t.device_class IN (r.device_class, r.larger_device_class) AND (o.forgotten OR NOT t.forgotten)) AS attempts,
           ARRAY(SELECT DISTINCT again.sweep_id FROM memberships again JOIN sweeps s ON s.id = again.sweep_id
                 WHERE again.cell_key = m.cell_key AND ${IS_TRIED_AGAIN} ORDER BY 1) AS "triedAgainBy"
    FROM memberships m
    JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
    JOIN sweeps s ON s.id = m.sweep_id
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    JOIN outcomes o ON ${isShownFor(Prisma.sql`m.cell_key`, OF_REVISION)}
    WHERE m.sweep_id = ${sweep} AND m.state IN ('infeasible', 'failed')
    ORDER BY m.ordinal, m.cell_key, a.ordinal`;
  return rows.map(({ depth, seed, document, ...row }) => {
    const axes = Object.entries({ depth, seed, document }).flatMap(([name, value]) => (value === null ? [] : [[name, value] as const]));
    return { ...row, axes: Object.fromEntries(axes) };
  });
}
