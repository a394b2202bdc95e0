/**
 * A hand on the wheel: what people set while a sweep runs, and what its workflow reads.
 */
import { RopesweepError } from '../domain/errors.js';
import type { ShardId, SweepId } from '../domain/ids.js';
import { evaluationQueue, type Page, type ShardStart, type SweepControl } from '../domain/orchestration.js';
import type { Steered, SweepWish } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import { allowed, isEnded, type SweepState } from '../domain/states.js';
import type { Client } from './database.js';
import { Prisma } from './generated/client.js';
import { OPEN_SHARDS } from './transitions.js';

interface ControlRow {
  readonly state: SweepState;
  readonly concurrency: number;
  readonly priority: number;
  readonly spec: SweepSpec;
  readonly revision: number;
  readonly largerDeviceClass: string | null;
  readonly planned: number;
  readonly failed: number;
  readonly total: number;
}

async function controlRow(client: Client, sweep: SweepId): Promise<ControlRow> {
  const [row] = await client.$queryRaw<ControlRow[]>`
    SELECT s.state::text AS state, s.concurrency, s.priority, r.spec, r.number AS revision, r.larger_device_class AS "largerDeviceClass",
           p.planned, p.failed, p.planned + p.measured + p.diverged + p.infeasible + p.failed AS total
    FROM sweeps s
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    JOIN sweep_progress p ON p.sweep_id = s.id
    WHERE s.id = ${sweep}`;
  if (row === undefined) throw new RopesweepError('SWEEP_UNKNOWN', { where: `sweep ${sweep}`, what: 'it was never submitted, or it was deleted' });
  return row;
}

/** How the sweep is to be run now, and the shards to start beside `except`: two windows at most of a device class, so that a page costs as much history as a shard. */
export async function nextShards(client: Client, sweep: SweepId, except: readonly ShardId[]): Promise<Page> {
  const row = await controlRow(client, sweep);
  const control: SweepControl = { state: row.state, concurrency: row.concurrency, priority: row.priority, maximumAttempts: row.spec.maximumAttempts, spent: spentBudget(row) };
  if (control.state !== 'running' || control.spent !== null) return { control, shards: [], canary: false };
  const canaries = row.spec.canary && except.length === 0 ? await cheapestAndDearest(client, sweep, row.revision) : [];
  const shards = canaries.length > 0 ? canaries : await shardsToStart(client, sweep, row, except);
  return {
    control,
    canary: canaries.length > 0,
    shards: shards.map(({ id, crashes, deviceClass }): ShardStart => ({ shard: id, crashes, evaluationQueue: evaluationQueue(deviceClass) })),
  };
}

interface OpenShard {
  readonly id: ShardId;
  readonly crashes: number;
  readonly deviceClass: string;
}

/** Of each device class as many as if it had the window for itself. */
async function shardsToStart(client: Client, sweep: SweepId, { concurrency, largerDeviceClass }: ControlRow, except: readonly ShardId[]): Promise<OpenShard[]> {
  if (largerDeviceClass === null) return openShards(client, sweep, Prisma.sql`true`, 2 * concurrency, except);
  const isLarger = Prisma.sql`h.device_class = ${largerDeviceClass}`;
  const larger = await openShards(client, sweep, isLarger, 2 * concurrency, except);
  const own = await openShards(client, sweep, Prisma.sql`NOT (${isLarger})`, 2 * concurrency, except);
  return [...larger, ...own];
}

/** Open shards that nobody looks after: leased ones too, for an attempt that died tells nobody. */
const openShards = (client: Client, sweep: SweepId, which: Prisma.Sql, limit: number, except: readonly ShardId[]): Promise<OpenShard[]> =>
  client.$queryRaw<OpenShard[]>`
    SELECT h.id, h.crashes, h.device_class AS "deviceClass"
    FROM shards h
    WHERE h.sweep_id = ${sweep} AND h.state = ANY (${OPEN_SHARDS}::shard_state[]) AND h.id <> ALL (${except}::text[]) AND ${which}
    ORDER BY h.ordinal, h.id LIMIT ${limit}`;

/** Of a revision none of whose shards was tried yet; none where there are no others to spare. What the cheapest tells is known soonest. */
async function cheapestAndDearest(client: Client, sweep: SweepId, revision: number): Promise<OpenShard[]> {
  const rows = await client.$queryRaw<OpenShard[]>`
    WITH open AS (
      SELECT h.id, h.crashes, h.device_class AS "deviceClass", h.cost_flops
      FROM shards h
      WHERE h.sweep_id = ${sweep} AND h.revision = ${revision} AND h.state = 'planned'
        AND NOT EXISTS (SELECT FROM shards WHERE sweep_id = ${sweep} AND revision = ${revision} AND attempts > 0)
    )
    SELECT id, crashes, "deviceClass" FROM (
      (SELECT *, 0 AS place FROM open ORDER BY cost_flops, id LIMIT 1)
      UNION ALL
      (SELECT *, 1 FROM open ORDER BY cost_flops DESC, id DESC LIMIT 1)
    ) AS both_ends WHERE (SELECT count(*) FROM open) > 2 ORDER BY place`;
  return rows;
}

/** Why the failure budget keeps the sweep from starting more; null while it lasts. */
function spentBudget({ spec: { failureBudget }, failed, total }: ControlRow): string | null {
  if (failureBudget === undefined) return null;
  const { cells = Infinity, share = 1 } = failureBudget;
  const allowedCells = Math.min(cells, Math.floor(share * total));
  if (failed <= allowedCells) return null;
  return `the failure budget is spent: ${failed} of ${total} cells failed, ${allowedCells} are tolerated (failureBudget)`;
}

const PARTICIPLES = { pause: 'paused', resume: 'resumed', stop: 'stopped', cancel: 'cancelled' } as const;
const WISHED: Readonly<Record<'pause' | 'resume' | 'stop' | 'cancel', SweepState>> = { pause: 'paused', resume: 'running', stop: 'stopping', cancel: 'cancelling' };

const MENDS = {
  ended: 'Resume it, or run its file again.',
  stopping: 'Nothing new is started anyway; so that it does not end, resume it before.',
  cancelling: 'Wait until it has ended, then resume it or run its file again.',
} as const;

/** @throws RopesweepError SWEEP_UNKNOWN, SWEEP_STATE */
export async function steer(transaction: Client, sweep: SweepId, wish: SweepWish): Promise<Steered> {
  await transaction.$queryRaw`SELECT id FROM sweeps WHERE id = ${sweep} FOR NO KEY UPDATE`;
  const { state: before, concurrency, priority, planned } = await controlRow(transaction, sweep);
  if (wish.verb === 'set') {
    const set = { concurrency: wish.concurrency ?? concurrency, priority: wish.priority ?? priority };
    await transaction.$executeRaw`UPDATE sweeps SET concurrency = ${set.concurrency}, priority = ${set.priority} WHERE id = ${sweep}`;
    return { before, after: before, ...set };
  }
  const after = WISHED[wish.verb];
  const same = { before, after: before, concurrency, priority };
  if (before === after) return same;
  if (isEnded(before)) {
    // What has come to its end needs no stop.
    if (wish.verb === 'stop' || wish.verb === 'cancel') return same;
    if (wish.verb === 'resume' && planned === 0) return same;
  }
  if (!allowed('sweep', before, after)) {
    throw new RopesweepError('SWEEP_STATE', {
      where: `sweep ${sweep}`,
      what: `it is ${before}, so it cannot be ${PARTICIPLES[wish.verb]}`,
      mend: MENDS[isEnded(before) ? 'ended' : before === 'stopping' ? 'stopping' : 'cancelling'],
    });
  }
  await transaction.$executeRaw`UPDATE sweeps SET state = ${after}::sweep_state, reason = NULL, updated_at = now() WHERE id = ${sweep}`;
  return { before, after, concurrency, priority };
}
