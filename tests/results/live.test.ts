import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CellProgress, Lease, LeasedShard, Place } from '../../domain/ports.js';
import { id, type SweepId } from '../../domain/ids.js';
import type { LiveDetail } from '../../domain/live.js';
import type { PrismaStore } from '../../results/store.js';
import type { TestDatabase } from '../stack/postgres.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, runFixture, shardsToStart, type FixtureGrid } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

async function sql<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

async function submitted(grid: Partial<FixtureGrid> & { name: string }): Promise<SweepId> {
  const full: FixtureGrid = { contextTokens: [512, 1024], depths: [0, 0.5], seeds: [1, 2], ...grid };
  const plan = fixturePlan(full);
  await store.submit(fixtureSpec(full), plan);
  return plan.sweep;
}

async function lease(sweep: SweepId, place: Place = FIXTURE_PLACE, except: readonly Lease[] = []): Promise<LeasedShard> {
  const [shard] = await shardsToStart(store, sweep, 1, except.map((held) => held.shard));
  const held = shard === undefined ? null : await store.lease(shard, place);
  if (held === null) throw new Error('nothing was leased');
  return held;
}

async function detailOf(sweep: SweepId): Promise<LiveDetail> {
  const { detail } = await store.live(sweep);
  if (detail === null) throw new Error(`no ${sweep}`);
  return detail;
}

const STATS = { promptTokens: 1 << 30, distinctTokens: 1, computedTokens: 1, completionTokens: 0, loadSeconds: 0, runSeconds: 1 };
const costOf = (contextTokens: number, cells: number): number => contextTokens ** 2 * cells;

describe('a live view', () => {
  it('of an empty store has nothing in it', async () => {
    const view = await store.live(null);
    expect(view).toMatchObject({ sweeps: [], detail: null, workers: [] });
    expect(Math.abs(view.at.getTime() - Date.now())).toBeLessThan(60_000);
  });

  it('of an unknown sweep shows the others and nothing in full', async () => {
    const sweep = await submitted({ name: 'known', seeds: [11] });
    const view = await store.live(id<SweepId>('unknown'));
    expect(view.detail).toBeNull();
    expect(view.sweeps.map((row) => row.sweep)).toContain(sweep);
    await store.finishSweep(sweep, 'stopped');
  });

  it('measures progress by cost: four short cells of eight are a hundredth of the work', async () => {
    const sweep = await submitted({ name: 'cost', methods: [{ name: 'none' }], contextTokens: [256, 2048], depths: [0, 1], seeds: [21, 22] });
    const { work, cells } = await detailOf(sweep);
    expect(work).toMatchObject({ flops: costOf(256, 4) + costOf(2048, 4), doneFlops: 0, tokens: 4 * (256 + 2048), longestFlops: costOf(2048, 4), recoveries: 0, speed: null });
    expect(cells).toMatchObject({ total: 8, planned: 8 });
    const long = await lease(sweep);
    const short = await lease(sweep, FIXTURE_PLACE, [long.lease]);
    await store.record(short.lease, FIXTURE_PLACE, short.job.cells.map(({ key, contextTokens }) => fixtureResult(key, contextTokens)));
    await store.finishShard(short.lease, STATS, null);
    const [first] = long.job.cells;
    if (first === undefined) throw new Error('no cells');
    await store.record(long.lease, FIXTURE_PLACE, [fixtureResult(first.key, first.contextTokens)]);
    const detail = await detailOf(sweep);
    expect(detail.work).toMatchObject({ doneFlops: costOf(256, 4) + costOf(2048, 1), doneTokens: 4 * 256 + 2048, longestFlops: costOf(2048, 3), shards: { done: 1, leased: 1, planned: 0 } });
    expect(detail.running).toMatchObject([{ shard: long.lease.shard, armLabel: 'none', shortestContextTokens: 2048, longestContextTokens: 2048, cells: 4, endedCells: 1, worker: FIXTURE_PLACE.worker, attempt: 1, flops: costOf(2048, 4) }]);
    expect(detail.running[0]?.seconds).toBeLessThan(60);
    await store.finishSweep(sweep, 'stopped');
  });

  it('measures the speed of a slot on the shards that ended of late, with their slow and fast quarters', async () => {
    const sweep = await submitted({ name: 'speed', contextTokens: [64, 128, 256, 512], depths: [0], seeds: [31] });
    await runFixture(store, sweep);
    // As if every shard had gone at 100 FLOP/s, but the longest at 200.
    await sql(`UPDATE shards SET prompt_tokens = cost_prompt_tokens, leased_at = ended_at - make_interval(secs => cost_flops / CASE WHEN cost_flops > 200000 THEN 200 ELSE 100 END) WHERE sweep_id = 'speed'`);
    const { work } = await detailOf(sweep);
    const seconds = (costOf(64, 1) + costOf(128, 1) + costOf(256, 1)) / 100 + costOf(512, 1) / 200;
    expect(work.speed?.shards).toBe(4);
    expect(work.speed?.flopsPerSecond).toBeCloseTo((costOf(64, 1) + costOf(128, 1) + costOf(256, 1) + costOf(512, 1)) / seconds, 3);
    expect(work.speed?.slowFlopsPerSecond).toBeCloseTo(100, 3);
    expect(work.speed?.fastFlopsPerSecond).toBeCloseTo(125, 3);
    expect(work.speed?.tokensPerSecond).toBeCloseTo((64 + 128 + 256 + 512) / seconds, 3);
  });

  it('takes no speed from shards that were tried again, nor from those that found their cells measured', async () => {
    const sweep = await submitted({ name: 'nospeed', contextTokens: [64, 128], depths: [0], seeds: [32] });
    await runFixture(store, sweep);
    await sql(`UPDATE shards SET attempts = 2 WHERE sweep_id = 'nospeed' AND cost_prompt_tokens = 64`);
    await sql(`UPDATE shards SET run_seconds = 0 WHERE sweep_id = 'nospeed' AND cost_prompt_tokens = 128`);
    expect((await detailOf(sweep)).work.speed).toBeNull();
  });

  it('counts the cells of each arm exactly, through failures, cells shared with another sweep and a smaller revision', async () => {
    const grid = { name: 'arms', methods: [{ name: 'none' as const }, { name: 'pi' as const, factor: 4 }], contextTokens: [512, 1024], depths: [0, 1], seeds: [41] };
    const sweep = await submitted(grid);
    await submitted({ ...grid, name: 'arms-again', contextTokens: [512, 1024, 2048] });
    const held = await lease(sweep);
    const [first, second] = held.job.cells;
    if (first === undefined || second === undefined) throw new Error('no cells');
    await store.record(held.lease, FIXTURE_PLACE, [
      fixtureResult(first.key, first.contextTokens),
      { key: second.key, state: 'infeasible', code: 'OUT_OF_MEMORY', reason: 'too big' },
    ]);
    const other = await lease(sweep, FIXTURE_PLACE, [held.lease]);
    await store.failShard(other.lease.shard, 'SLOT_CRASHED', 'it died', 3);
    const isCounted = async (name: string): Promise<CellProgress> => {
      const { arms, cells } = await detailOf(id<SweepId>(name));
      const counted = await sql(`
        SELECT a.label, count(*)::int AS total, count(*) FILTER (WHERE m.state = 'planned')::int AS planned,
               count(*) FILTER (WHERE m.state = 'measured')::int AS measured, count(*) FILTER (WHERE m.state = 'diverged')::int AS diverged,
               count(*) FILTER (WHERE m.state = 'infeasible')::int AS infeasible, count(*) FILTER (WHERE m.state = 'failed')::int AS failed
        FROM memberships m JOIN arms a USING (sweep_id, arm_id) WHERE m.sweep_id = $1 GROUP BY a.label, a.ordinal ORDER BY a.ordinal`, [name]);
      expect(arms.map((arm) => ({ label: arm.label, ...arm.cells }))).toEqual(counted);
      expect(arms.reduce((sum, arm) => sum + arm.cells.total, 0)).toBe(cells.total);
      return cells;
    };
    for (const name of ['arms', 'arms-again']) expect(await isCounted(name)).toMatchObject({ measured: 1, infeasible: 1, failed: 2 });
    await submitted({ ...grid, contextTokens: [512] });
    expect((await isCounted('arms')).total).toBeLessThan(8);
    await isCounted('arms-again');
    await Promise.all(['arms', 'arms-again'].map((name) => store.finishSweep(id<SweepId>(name), 'stopped')));
  });

  it('groups what has no numbers by its code, with the latest reason', async () => {
    const sweep = await submitted({ name: 'failures', methods: [{ name: 'none' }], contextTokens: [512, 1024], depths: [0, 1], seeds: [51] });
    const held = await lease(sweep);
    const [first, second] = held.job.cells;
    if (first === undefined || second === undefined) throw new Error('no cells');
    await store.record(held.lease, FIXTURE_PLACE, [{ key: first.key, state: 'failed', code: 'CELL_FAILED', reason: 'the first' }]);
    await store.record(held.lease, FIXTURE_PLACE, [{ key: second.key, state: 'failed', code: 'CELL_FAILED', reason: 'the second' }]);
    const other = await lease(sweep, FIXTURE_PLACE, [held.lease]);
    await store.record(other.lease, FIXTURE_PLACE, other.job.cells.slice(0, 1).map(({ key }) => ({ key, state: 'infeasible', code: 'OUT_OF_MEMORY', reason: 'too big' })));
    const { failures, cells } = await detailOf(sweep);
    expect(cells).toMatchObject({ failed: 2, infeasible: 1 });
    const byCode = [...failures].sort((a, b) => (a.code < b.code ? -1 : 1));
    expect(byCode).toMatchObject([
      { state: 'failed', code: 'CELL_FAILED', cells: 2, reason: 'the second', armLabel: 'none', contextTokens: 1024 },
      { state: 'infeasible', code: 'OUT_OF_MEMORY', cells: 1, reason: 'too big', contextTokens: 512 },
    ]);
    expect(failures[0]?.at.getTime()).toBeGreaterThanOrEqual(failures[1]?.at.getTime() ?? 0);
    await store.finishSweep(sweep, 'stopped');
  });

  it('shows workers with the slots they have busy, and which of them fell silent', async () => {
    const worker = { host: 'node', pid: 1, processStarted: '', deviceClass: 'cpu', slots: 4, fingerprint: FIXTURE_PLACE.fingerprint, selfTest: 'passed' as const, queue: 'q', memoryBytes: null, version: '0' };
    await store.registerWorker({ id: 'busy', ...worker });
    await store.registerWorker({ id: 'silent', ...worker });
    await sql(`UPDATE workers SET heartbeat_at = now() - interval '41 s' WHERE id = 'silent'`);
    const sweep = await submitted({ name: 'workers', seeds: [61] });
    const first = await lease(sweep, { ...FIXTURE_PLACE, worker: 'busy' });
    await lease(sweep, { ...FIXTURE_PLACE, worker: 'busy' }, [first.lease]);
    const rows = async () => (await store.live(sweep)).workers.map(({ id: name, slots, busySlots, state }) => ({ name, slots, busySlots, state }));
    expect(await rows()).toEqual([{ name: 'busy', slots: 4, busySlots: 2, state: 'ready' }, { name: 'silent', slots: 4, busySlots: 0, state: 'silent' }]);
    await store.finishSweep(sweep, 'stopped');
    expect(await rows()).toMatchObject([{ busySlots: 0 }, { busySlots: 0 }]);
    for (const id of ['busy', 'silent']) await store.unregisterWorker({ id, ...worker });
  });

  it('counts the attempts above the first, and keeps what a shard had done when it was handed back', async () => {
    const sweep = await submitted({ name: 'recoveries', methods: [{ name: 'none' }], contextTokens: [512], depths: [0, 1], seeds: [71] });
    const held = await lease(sweep);
    await store.record(held.lease, FIXTURE_PLACE, held.job.cells.slice(0, 1).map(({ key, contextTokens }) => fixtureResult(key, contextTokens)));
    await store.finishShard(held.lease, null, { code: 'SLOT_CRASHED', reason: 'it died' });
    expect(await detailOf(sweep)).toMatchObject({ running: [], work: { recoveries: 0, doneFlops: costOf(512, 1), shards: { planned: 1 } } });
    await lease(sweep);
    expect(await detailOf(sweep)).toMatchObject({ running: [{ attempt: 2, before: 'SLOT_CRASHED' }], work: { recoveries: 1, doneFlops: costOf(512, 1), shards: { leased: 1 } } });
    await store.finishSweep(sweep, 'stopped');
  });

  it('lists the sweeps that run first, and shows the first in full', async () => {
    const sweep = await submitted({ name: 'runs', seeds: [81] });
    const ended = await submitted({ name: 'ended', seeds: [82] });
    await runFixture(store, ended);
    const view = await store.live(null);
    expect(view.detail?.sweep).toBe(sweep);
    expect(view.sweeps.slice(0, 2).map((row) => [row.sweep, row.state, row.work === null])).toEqual([['runs', 'running', false], ['ended', 'done', true]]);
    const chosen = await store.live(ended);
    expect(chosen.detail?.sweep).toBe(ended);
    expect(chosen.sweeps.map((row) => row.sweep)).toEqual(view.sweeps.map((row) => row.sweep));
    await store.finishSweep(sweep, 'stopped');
  });
});

describe('recall so far', () => {
  let sweep: SweepId;
  beforeAll(async () => {
    sweep = await submitted({ name: 'recall', methods: [{ name: 'none' }, { name: 'pi', factor: 4 }], contextTokens: [256, 2048], depths: [0, 0.5, 1], seeds: [91] });
    await runFixture(store, sweep);
  });

  it('is the share of an arm that passes', async () => {
    const { arms, cells } = await store.rows(sweep);
    const expected = arms.map((arm) => {
      const own = cells.flatMap((cell) => (cell.armId === arm.id && cell.taskKind === 'needle' && cell.needle !== null ? [cell.needle.exactMatch] : []));
      return { arm: arm.id, cells: own.length, recall: own.filter(Boolean).length / own.length };
    });
    const recalls = await store.armRecalls(sweep);
    expect(new Set(recalls)).toEqual(new Set(expected));
  });

  it('goes by the criterion of the task, and takes a diverged cell as a miss', async () => {
    await sql(`UPDATE revisions SET tasks = jsonb_set(tasks, '{0,criterion}', '"tokenRecall"') WHERE sweep_id = $1`, [sweep]);
    const byTokens = await store.armRecalls(sweep);
    const { cells } = await store.rows(sweep);
    for (const { arm, recall } of byTokens) {
      const own = cells.flatMap((cell) => (cell.armId === arm && cell.taskKind === 'needle' && cell.needle !== null ? [cell.needle.tokenRecall] : []));
      expect(recall).toBeCloseTo(own.reduce((sum, value) => sum + value, 0) / own.length, 12);
    }
    const before = byTokens.map(({ arm, recall }) => [arm, recall] as const);
    await sql(`UPDATE memberships SET state = 'diverged' WHERE sweep_id = $1`, [sweep]);
    expect(await store.armRecalls(sweep)).toEqual(expect.arrayContaining(before.map(([arm]) => ({ arm, cells: 6, recall: 0 }))));
  });

  it('is of no arm where nothing was measured', async () => {
    expect(await store.armRecalls(await submitted({ name: 'unmeasured', seeds: [95] }))).toEqual([]);
  });
});

describe('the states of shards', () => {
  it('are told for those the store has', async () => {
    const sweep = await submitted({ name: 'states', seeds: [99] });
    const held = await lease(sweep);
    expect(await store.shardStates([held.lease.shard, id('nobody')])).toEqual(new Map([[held.lease.shard, 'leased']]));
  });
});
