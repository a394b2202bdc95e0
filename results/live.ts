/**
 * How everything stands now, cheap enough to be asked every second of a sweep of a million cells: cells and costs from counters,
 * shards and memberships only of what is begun.
 */
import { groupBy } from '../domain/groupBy.js';
import type { ArmId, ShardId, SweepId } from '../domain/ids.js';
import type { ArmRecall, LiveArm, LiveDetail, LiveFailure, LiveShard, LiveSweep, LiveView, LiveWork, LiveWorker, SlotSpeed, Work } from '../domain/live.js';
import type { CellProgress } from '../domain/ports.js';
import { isEnded, SHARD_STATES, SWEEP_END_STATES, type ShardState, type SweepState } from '../domain/states.js';
import type { Client } from './database.js';
import { isShownFor, OF_REVISION } from './cellOutcome.js';
import { Prisma } from './generated/client.js';
import { SHARE, shardWork } from './shardWork.js';
import { SILENT_SECONDS } from './situation.js';

/** Sweeps listed at most. */
const LISTED_SWEEPS = 50;
/** A slot's speed is that of the shards that ended in these minutes, or of the last few where fewer did. */
const SPEED_MINUTES = 5;
const SPEED_SHARDS = { least: 20, most: 200 };
/** Outcomes looked at, over all sweeps, the latest first: all there are, but in a sweep where nearly everything fails. */
const OUTCOMES = 2_000;

/**
 * @param sweep the one to show in full; null for the first of those that run, or else changed last
 * @returns detail null where the store has no such sweep
 */
export async function live(client: Client, sweep: SweepId | null): Promise<LiveView> {
  const [{ at }, listed, workers] = await Promise.all([clock(client), sweepRows(client, sweep), workerRows(client)]);
  const shown = sweep === null ? listed[0] : listed.find((row) => row.sweep === sweep);
  const ids = listed.filter((row) => !isEnded(row.state) || row === shown).map((row) => row.sweep);
  const [totals, dearest, leased, speeds] = await Promise.all([shardTotals(client, ids), dearestWaiting(client, ids), leasedShards(client, ids), slotSpeeds(client, ids)]);
  const workOf = (id: SweepId): LiveWork => {
    const of = <Row extends { readonly sweep: SweepId }>(rows: readonly Row[]): Row[] => rows.filter((row) => row.sweep === id);
    return sweepWork(of(totals), dearest.get(id) ?? 0, of(leased), speeds.get(id) ?? null);
  };
  const sweeps = listed.map((row): LiveSweep => ({ ...row, work: ids.includes(row.sweep) ? workOf(row.sweep) : null }));
  const detail = shown === undefined ? null : await detailOf(client, { ...shown, work: workOf(shown.sweep) }, totals, leased);
  return { at, sweeps, detail, workers };
}

async function clock(client: Client): Promise<{ at: Date }> {
  const [row] = await client.$queryRaw<{ at: Date }[]>`SELECT now() AS at`;
  return row ?? { at: new Date() };
}

type Counters = Omit<CellProgress, 'total'>;

const progress = ({ planned, measured, diverged, infeasible, failed }: Counters): CellProgress => ({
  total: planned + measured + diverged + infeasible + failed,
  planned,
  measured,
  diverged,
  infeasible,
  failed,
});

interface SweepRow extends Counters {
  readonly sweep: SweepId;
  readonly revision: number;
  readonly state: SweepState;
  readonly reason: string | null;
  readonly concurrency: number;
  readonly priority: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const ENDED = Prisma.sql`(s.state = ANY (${[...SWEEP_END_STATES]}::sweep_state[]))`;

async function sweepRows(client: Client, sweep: SweepId | null): Promise<Omit<LiveSweep, 'work'>[]> {
  const rows = await client.$queryRaw<SweepRow[]>`
    SELECT s.id AS sweep, s.revision, s.state::text AS state, s.reason, s.concurrency, s.priority,
           s.created_at AS "createdAt", s.updated_at AS "updatedAt", p.planned, p.measured, p.diverged, p.infeasible, p.failed
    FROM sweeps s JOIN sweep_progress p ON p.sweep_id = s.id
    ORDER BY s.id = ${sweep ?? ''} DESC, ${ENDED}, s.updated_at DESC, s.id
    LIMIT ${LISTED_SWEEPS}`;
  // The one asked for is always listed, but in its place: whoever walks the list must not see it change under his hands.
  const ended = ({ state }: SweepRow): number => (isEnded(state) ? 1 : 0);
  rows.sort((a, b) => ended(a) - ended(b) || b.updatedAt.getTime() - a.updatedAt.getTime() || (a.sweep < b.sweep ? -1 : 1));
  return rows.map(({ planned, measured, diverged, infeasible, failed, ...row }) => ({ ...row, cells: progress({ planned, measured, diverged, infeasible, failed }) }));
}

async function workerRows(client: Client): Promise<LiveWorker[]> {
  const rows = await client.$queryRaw<LiveWorker[]>`
    SELECT w.id, w.host, w.device_class AS "deviceClass", w.slots, w.started_at AS "startedAt", w.state, w.reason,
           ARRAY(SELECT DISTINCT regexp_replace(a.checkpoint_folder, '^.*/', '') FROM arms a WHERE a.weights_id = ANY (w.loaded)) AS loaded,
           greatest(extract(epoch FROM now() - w.heartbeat_at), 0)::float8 AS "heartbeatSeconds", coalesce(b.busy, 0)::int AS "busySlots"
    FROM workers w
    LEFT JOIN (
      SELECT h.leased_by, count(*) AS busy FROM sweeps s JOIN shards h ON h.sweep_id = s.id
      WHERE NOT ${ENDED} AND h.state = 'leased' GROUP BY h.leased_by
    ) AS b ON b.leased_by = w.id
    ORDER BY w.host, w.started_at, w.id`;
  return rows.map((row) => (row.heartbeatSeconds > SILENT_SECONDS ? { ...row, state: 'silent' } : row));
}

/** Shards of an arm in one state. */
interface ShardTotal extends Work {
  readonly sweep: SweepId;
  readonly arm: ArmId;
  readonly state: ShardState;
  readonly shards: number;
  readonly recoveries: number;
}

/** In one statement, so that no shard is counted twice while it ends. Superseded shards count nowhere: others have their cells. */
const shardTotals = (client: Client, sweeps: readonly SweepId[]) => client.$queryRaw<ShardTotal[]>`
  SELECT s.id AS sweep, w.arm_id AS arm, w.state::text AS state, sum(w.shards)::int AS shards, sum(w.recoveries)::int AS recoveries,
         sum(w.flops) AS flops, sum(w.done_flops) AS "doneFlops", sum(w.tokens) AS tokens, sum(w.done_tokens) AS "doneTokens"
  FROM unnest(${sweeps}::text[]) AS s(id)
  CROSS JOIN LATERAL ${shardWork(Prisma.sql`s.id`)} AS w
  GROUP BY s.id, w.arm_id, w.state`;

/** FLOPs of the dearest shard that waits to be started, or started again. */
async function dearestWaiting(client: Client, sweeps: readonly SweepId[]): Promise<Map<SweepId, number>> {
  const rows = await client.$queryRaw<{ readonly sweep: SweepId; readonly flops: number | null }[]>`
    SELECT s.id AS sweep, greatest(
             (SELECT max(cost_flops) FROM shards WHERE sweep_id = s.id AND state = 'planned' AND attempts = 0),
             (SELECT max(cost_flops) FROM shards WHERE sweep_id = s.id AND state = 'planned' AND attempts > 0)) AS flops
    FROM unnest(${sweeps}::text[]) AS s(id)`;
  return new Map(rows.map(({ sweep, flops }) => [sweep, flops ?? 0]));
}

/** A shard that a worker holds, with what it belongs to. */
interface LeasedShard extends LiveShard {
  readonly sweep: SweepId;
  readonly arm: ArmId;
}

async function leasedShards(client: Client, sweeps: readonly SweepId[]): Promise<LeasedShard[]> {
  const rows = await client.$queryRaw<(Omit<LeasedShard, 'doneFlops' | 'doneTokens'> & { readonly share: number })[]>`
    SELECT h.sweep_id AS sweep, h.id AS shard, h.arm_id AS arm, a.label AS "armLabel",
           coalesce(h.leased_by, '') AS worker, h.leased_at AS since,
           greatest(extract(epoch FROM now() - h.leased_at), 0)::float8 AS seconds, h.attempts AS attempt,
           (SELECT code FROM shard_attempts t WHERE t.shard_id = h.id AND t.lease < h.lease ORDER BY t.lease DESC LIMIT 1) AS before,
           h.cost_flops AS flops, h.cost_prompt_tokens::float8 AS tokens, m.*
    FROM shards h
    JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS cells, count(*) FILTER (WHERE state <> 'planned')::int AS "endedCells",
             coalesce(min(context_tokens), 0) AS "shortestContextTokens", coalesce(max(context_tokens), 0) AS "longestContextTokens",
             ${SHARE} AS share
      FROM memberships WHERE shard_id = h.id
    ) AS m
    WHERE h.sweep_id = ANY (${sweeps}::text[]) AND h.state = 'leased'
    ORDER BY h.leased_at, h.id`;
  return rows.map(({ share, ...row }) => ({ ...row, doneFlops: share * row.flops, doneTokens: share * row.tokens }));
}

/** The last attempt of a shard is timed from its lease to its end; a shard of several attempts would be timed wrongly. */
async function slotSpeeds(client: Client, sweeps: readonly SweepId[]): Promise<Map<SweepId, SlotSpeed>> {
  const rows = await client.$queryRaw<(SlotSpeed & { readonly sweep: SweepId })[]>`
    SELECT r.sweep, count(*)::int AS shards, sum(r.flops) / sum(r.seconds) AS "flopsPerSecond",
           percentile_cont(0.25) WITHIN GROUP (ORDER BY r.flops / r.seconds) AS "slowFlopsPerSecond",
           percentile_cont(0.75) WITHIN GROUP (ORDER BY r.flops / r.seconds) AS "fastFlopsPerSecond",
           sum(r.tokens) / sum(r.seconds) AS "tokensPerSecond"
    FROM (
      SELECT s.id AS sweep, e.*, row_number() OVER (PARTITION BY s.id ORDER BY e.ended_at DESC) AS nth
      FROM unnest(${sweeps}::text[]) AS s(id)
      CROSS JOIN LATERAL (
        SELECT ended_at, greatest(extract(epoch FROM ended_at - leased_at), 0.001)::float8 AS seconds, prompt_tokens::float8 AS tokens,
               -- Cells that another sweep measured meanwhile cost this one nothing.
               cost_flops * least(1, prompt_tokens::float8 / greatest(cost_prompt_tokens, 1)) AS flops
        FROM shards
        WHERE sweep_id = s.id AND ended_at IS NOT NULL AND state = 'done' AND attempts = 1 AND run_seconds > 0
        ORDER BY ended_at DESC LIMIT ${SPEED_SHARDS.most}
      ) AS e
    ) AS r
    WHERE r.nth <= ${SPEED_SHARDS.least} OR r.ended_at > now() - make_interval(mins => ${SPEED_MINUTES}::int)
    GROUP BY r.sweep`;
  return new Map(rows.map(({ sweep, ...speed }) => [sweep, speed]));
}

const sum = <Row>(rows: readonly Row[], value: (row: Row) => number): number => rows.reduce((total, row) => total + value(row), 0);

function workOf(totals: readonly ShardTotal[]): Work {
  const counted = totals.filter(({ state }) => state !== 'superseded');
  const total = (value: (row: ShardTotal) => number): number => sum(counted, value);
  return { flops: total((row) => row.flops), doneFlops: total((row) => row.doneFlops), tokens: total((row) => row.tokens), doneTokens: total((row) => row.doneTokens) };
}

function sweepWork(totals: readonly ShardTotal[], dearestWaitingFlops: number, leased: readonly LeasedShard[], speed: SlotSpeed | null): LiveWork {
  const inState = (state: ShardState): ShardTotal[] => totals.filter((row) => row.state === state);
  return {
    ...workOf(totals),
    shards: Object.fromEntries(SHARD_STATES.map((state) => [state, sum(inState(state), ({ shards }) => shards)])) as Record<ShardState, number>,
    recoveries: sum(totals, ({ recoveries }) => recoveries),
    longestFlops: Math.max(dearestWaitingFlops, ...leased.map(({ flops, doneFlops }) => flops - doneFlops)),
    speed: speed ?? speedOfRunning(leased),
  };
}

/** Before a first shard has ended: what those that run have done so far. */
function speedOfRunning(leased: readonly LeasedShard[]): SlotSpeed | null {
  const under = leased.filter(({ doneFlops, seconds }) => doneFlops > 0 && seconds > 0);
  const seconds = sum(under, (shard) => shard.seconds);
  if (seconds === 0) return null;
  const flopsPerSecond = sum(under, ({ doneFlops }) => doneFlops) / seconds;
  return { shards: under.length, flopsPerSecond, slowFlopsPerSecond: flopsPerSecond, fastFlopsPerSecond: flopsPerSecond, tokensPerSecond: sum(under, ({ doneTokens }) => doneTokens) / seconds };
}

async function detailOf(client: Client, shown: LiveSweep & { readonly work: LiveWork }, allTotals: readonly ShardTotal[], allLeased: readonly LeasedShard[]): Promise<LiveDetail> {
  const { sweep, cells } = shown;
  const running = allLeased.filter((shard) => shard.sweep === sweep);
  const [arms, failures] = await Promise.all([armRows(client, sweep), cells.failed + cells.infeasible === 0 ? [] : failureRows(client, sweep)]);
  const totals = groupBy(allTotals.filter((row) => row.sweep === sweep), (row) => row.arm);
  return {
    ...shown,
    arms: arms.map(({ arm, label, ...counters }): LiveArm => ({
      arm,
      label,
      cells: progress(counters),
      ...workOf(totals.get(arm) ?? []),
      runningShards: running.filter((shard) => shard.arm === arm).length,
    })),
    running,
    failures,
  };
}

/** Arms that have cells, in the order of the spec. */
const armRows = (client: Client, sweep: SweepId) => client.$queryRaw<(Counters & Pick<LiveArm, 'arm' | 'label'>)[]>`
  SELECT a.arm_id AS arm, a.label, p.planned, p.measured, p.diverged, p.infeasible, p.failed
  FROM arms a JOIN arm_progress p ON p.sweep_id = a.sweep_id AND p.arm_id = a.arm_id
  WHERE a.sweep_id = ${sweep} AND p.planned + p.measured + p.diverged + p.infeasible + p.failed > 0
  ORDER BY a.ordinal, a.arm_id`;

const failureRows = (client: Client, sweep: SweepId) => client.$queryRaw<LiveFailure[]>`
  SELECT DISTINCT ON (f.state, f.code) f.state::text AS state, f.code, (count(*) OVER (PARTITION BY f.state, f.code))::int AS cells,
         f.reason, f."armLabel", f."contextTokens", f.at
  FROM (
    SELECT o.state, o.code, o.reason, a.label AS "armLabel", m.context_tokens AS "contextTokens", o.at, m.ordinal
    FROM (SELECT * FROM outcomes ORDER BY at DESC LIMIT ${OUTCOMES}) AS o
    JOIN memberships m ON m.cell_key = o.cell_key AND m.sweep_id = ${sweep} AND m.state IN ('infeasible', 'failed')
    JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
    JOIN sweeps s ON s.id = m.sweep_id
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    WHERE ${isShownFor(Prisma.sql`m.cell_key`, OF_REVISION)}
  ) AS f
  ORDER BY f.state, f.code, f.at DESC, f.ordinal`;

/** Recall so far of each arm with needle cells. It reads every cell that ended, so ask it less often than {@link live}. */
export const armRecalls = (client: Client, sweep: SweepId): Promise<ArmRecall[]> => client.$queryRaw<ArmRecall[]>`
  WITH criteria AS MATERIALIZED (
    SELECT t.nth::int - 1 AS task, t.task ->> 'criterion' AS criterion
    FROM sweeps s
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    CROSS JOIN LATERAL jsonb_array_elements(r.tasks) WITH ORDINALITY AS t(task, nth)
    WHERE s.id = ${sweep}
  )
  SELECT m.arm_id AS arm, count(*)::int AS cells,
         avg(CASE WHEN m.state = 'diverged' THEN 0
                  WHEN c.criterion = 'tokenRecall' THEN n.token_recall
                  WHEN c.criterion = 'stringRecall' THEN n.string_recall
                  ELSE n.exact_match::int::float8 END) AS recall
  FROM memberships m
  JOIN criteria c ON c.task = m.task
  LEFT JOIN needle_results n ON n.cell_key = m.cell_key
  WHERE m.sweep_id = ${sweep} AND m.task_kind = 'needle' AND m.state IN ('measured', 'diverged')
  GROUP BY m.arm_id`;

/** The state of each of these shards, for one that is no longer among the running. */
export async function shardStates(client: Client, shards: readonly ShardId[]): Promise<Map<ShardId, ShardState>> {
  const rows = await client.$queryRaw<{ readonly id: ShardId; readonly state: ShardState }[]>(Prisma.sql`
    SELECT id, state::text AS state FROM shards WHERE id = ANY (${shards}::text[])`);
  return new Map(rows.map(({ id, state }) => [id, state]));
}
