import { describe, expect, it } from 'vitest';
import pg from 'pg';
import type { ShardId, SweepId, WeightsId } from '../../domain/ids.js';
import type { Place } from '../../domain/ports.js';
import type { SweepSpec } from '../../domain/spec.js';
import type { PrismaStore } from '../../results/store.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, runFixture, shardsToStart, type FixtureGrid } from '../stack/seed.js';
import type { TestDatabase } from '../stack/postgres.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

/** Cells of each test are its own: the seed is. */
let seed = 500;
async function submitted(name: string, grid: Partial<FixtureGrid> = {}, spec: Partial<SweepSpec> = {}): Promise<SweepId> {
  seed += 10;
  const full: FixtureGrid = { name, contextTokens: [512, 1024, 2048, 4096], depths: [0, 1], seeds: [seed], ...grid };
  const plan = fixturePlan(full);
  await store.submit({ ...fixtureSpec(full), ...spec }, plan);
  return plan.sweep;
}

async function query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

const held = async (shard: ShardId, place: Place = FIXTURE_PLACE) => {
  const leased = await store.lease(shard, place);
  if (leased === null) throw new Error('nothing was leased');
  return leased;
};

describe('a hand on the wheel', () => {
  it('pauses: nothing new is given out or leased, what is leased may write, and resuming goes on', async () => {
    const sweep = await submitted('pauses');
    const [first = '' as ShardId, second = '' as ShardId] = await shardsToStart(store, sweep, 2);
    const leased = await held(first);
    expect(await store.steer(sweep, { verb: 'pause' })).toMatchObject({ before: 'running', after: 'paused' });
    expect(await store.steer(sweep, { verb: 'pause' })).toMatchObject({ before: 'paused', after: 'paused' });
    expect(await store.nextShards(sweep, [])).toMatchObject({ control: { state: 'paused' }, shards: [] });
    expect(await store.lease(second, FIXTURE_PLACE)).toBeNull();
    await store.record(leased.lease, FIXTURE_PLACE, leased.job.cells.map((cell) => fixtureResult(cell.key, cell.contextTokens)));
    await store.finishShard(leased.lease, null, null);
    expect(await store.status(sweep)).toMatchObject({ state: 'paused', cells: { measured: 2 } });
    expect(await store.steer(sweep, { verb: 'resume' })).toMatchObject({ before: 'paused', after: 'running' });
    expect(await store.lease(second, FIXTURE_PLACE)).not.toBeNull();
  });

  it('stops and cancels once, and leaves a sweep that has ended as it is', async () => {
    const sweep = await submitted('stops');
    expect(await store.steer(sweep, { verb: 'stop' })).toMatchObject({ after: 'stopping' });
    expect(await store.steer(sweep, { verb: 'cancel' })).toMatchObject({ before: 'stopping', after: 'cancelling' });
    await expect(store.steer(sweep, { verb: 'resume' })).rejects.toMatchObject({ code: 'SWEEP_STATE' });
    expect(await store.finishSweep(sweep, 'cancelled', 'on purpose')).toBe('cancelled');
    expect((await store.status(sweep))?.reason).toBe('on purpose');
    expect(await store.steer(sweep, { verb: 'stop' })).toMatchObject({ before: 'cancelled', after: 'cancelled' });
    await expect(store.steer(sweep, { verb: 'pause' })).rejects.toMatchObject({ code: 'SWEEP_STATE', message: expect.stringContaining('cannot be paused') as string });
    expect(await store.steer(sweep, { verb: 'resume' })).toMatchObject({ before: 'cancelled', after: 'running' });
  });

  it('does not make a sweep run again whose cells all have an end', async () => {
    const sweep = await submitted('ended');
    await runFixture(store, sweep);
    expect(await store.steer(sweep, { verb: 'resume' })).toMatchObject({ before: 'done', after: 'done' });
  });

  it('sets concurrency and priority until other cells are submitted', async () => {
    const sweep = await submitted('set', {}, { concurrency: 4, priority: 2 });
    expect((await store.nextShards(sweep, [])).control).toMatchObject({ concurrency: 4, priority: 2 });
    expect(await store.steer(sweep, { verb: 'set', priority: 5 })).toMatchObject({ concurrency: 4, priority: 5 });
    expect(await store.steer(sweep, { verb: 'set', concurrency: 1 })).toMatchObject({ concurrency: 1, priority: 5 });
    const { control, shards } = await store.nextShards(sweep, []);
    expect(control).toMatchObject({ concurrency: 1, priority: 5 });
    expect(shards).toHaveLength(2);
  });

  it('is refused for a sweep that nobody submitted', async () => {
    await expect(store.steer('never' as SweepId, { verb: 'pause' })).rejects.toMatchObject({ code: 'SWEEP_UNKNOWN' });
    await expect(store.nextShards('never' as SweepId, [])).rejects.toMatchObject({ code: 'SWEEP_UNKNOWN' });
  });
});

describe('canaries', () => {
  it('are the cheapest and the dearest shard of a revision, in this order, that nobody has tried', async () => {
    const sweep = await submitted('canary', {}, { canary: true });
    const { canary, shards } = await store.nextShards(sweep, []);
    expect(canary).toBe(true);
    const costs = await query<{ id: ShardId }>('SELECT id FROM shards WHERE sweep_id = $1 ORDER BY cost_flops DESC', [sweep]);
    expect(shards.map(({ shard }) => shard)).toEqual([costs.at(-1)?.id, costs[0]?.id]);
    const beside = await store.nextShards(sweep, shards.map(({ shard }) => shard));
    expect(beside).toMatchObject({ canary: false });
    expect(beside.shards).toHaveLength(2);
    await held(shards[0]?.shard ?? ('' as ShardId));
    expect(await store.nextShards(sweep, [])).toMatchObject({ canary: false });
  });

  it('are not sent where there are no others to spare, or where the spec does without', async () => {
    expect(await store.nextShards(await submitted('few', { contextTokens: [512, 1024] }, { canary: true }), [])).toMatchObject({ canary: false });
    expect(await store.nextShards(await submitted('without', {}, { canary: false }), [])).toMatchObject({ canary: false });
  });
});

describe('the failure budget', () => {
  it.each([
    ['by count', { cells: 1 }],
    ['by share', { share: 0.2 }],
  ])('%s: with one more failed cell nothing is given out, and the reason is said', async (name, failureBudget) => {
    const sweep = await submitted(`budget-${name.replace(' ', '-')}`, {}, { failureBudget });
    const [shard = '' as ShardId] = await shardsToStart(store, sweep, 1);
    expect((await store.nextShards(sweep, [])).control.spent).toBeNull();
    await store.failShard(shard, 'SLOT_CRASHED', 'on purpose', 3);
    const { control, shards } = await store.nextShards(sweep, []);
    expect(shards).toEqual([]);
    expect(control.spent).toBe('the failure budget is spent: 2 of 8 cells failed, 1 are tolerated (failureBudget)');
  });
});

describe('a shard that kills its slot', () => {
  it('is cut in two halves in the order of the plan, which know of its crashes; one cell is not cut', async () => {
    const sweep = await submitted('split', { contextTokens: [512], depths: [0, 0.25, 0.5, 0.75, 1] });
    const [whole = '' as ShardId] = await shardsToStart(store, sweep, 1);
    const { job, lease } = await held(whole);
    expect(await store.splitShard(whole, 2)).toBe(2);
    expect(await store.splitShard(whole, 2)).toBe(2);
    await expect(store.record(lease, FIXTURE_PLACE, [fixtureResult(job.cells[0]?.key ?? ('' as never), 512)])).rejects.toMatchObject({ code: 'LEASE_LOST' });
    const { shards } = await store.nextShards(sweep, []);
    expect(shards.map(({ crashes }) => crashes)).toEqual([2, 2]);
    const halves = await Promise.all(shards.map(({ shard }) => held(shard)));
    const depths = halves.map((half) => half.job.cells.map(({ axes }) => (axes as { depth: number }).depth));
    expect(depths.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual([[0, 0.25, 0.5], [0.75, 1]]);
    expect(halves.reduce((sum, half) => sum + half.job.flops, 0)).toBeCloseTo(job.flops, 3);
    const alone = await submitted('alone', { contextTokens: [512], depths: [0] });
    const [single = '' as ShardId] = await shardsToStart(store, alone, 1);
    expect(await store.splitShard(single, 1)).toBe(0);
    expect(await store.status(alone)).toMatchObject({ shards: { planned: 1, superseded: 0 } });
  });
});

describe('retrying', () => {
  it('plans cells again that failed, in a shard of their own, and no others', async () => {
    const sweep = await submitted('retried', { contextTokens: [512, 1024], depths: [0, 0.5, 1] });
    const [shard = '' as ShardId] = await shardsToStart(store, sweep, 1);
    await store.failShard(shard, 'SLOT_CRASHED', 'on purpose', 3);
    const failed = await store.outcomes(sweep);
    expect(failed).toHaveLength(3);
    await runFixture(store, sweep);
    expect(await store.status(sweep)).toMatchObject({ state: 'incomplete', cells: { failed: 3, measured: 3 } });
    const chosen = failed.slice(0, 2).map(({ key }) => key);
    expect(await store.retryCells(sweep, chosen)).toBe(2);
    expect(await store.retryCells(sweep, chosen)).toBe(0);
    expect(await store.status(sweep)).toMatchObject({ cells: { failed: 1, planned: 2, measured: 3 } });
    expect(await store.steer(sweep, { verb: 'resume' })).toMatchObject({ after: 'running' });
    await runFixture(store, sweep);
    expect(await store.status(sweep)).toMatchObject({ state: 'incomplete', cells: { failed: 1, planned: 0, measured: 5 } });
  });
});

describe('deleting', () => {
  it('is refused while the sweep runs, and keeps what was measured for the next submission', async () => {
    const grid: FixtureGrid = { name: 'deleted', contextTokens: [512], depths: [0, 1], seeds: [9_000] };
    const plan = fixturePlan(grid);
    await store.submit(fixtureSpec(grid), plan);
    await expect(store.deleteSweep(plan.sweep)).rejects.toMatchObject({ code: 'SWEEP_STATE' });
    await runFixture(store, plan.sweep);
    expect(await store.deleteSweep(plan.sweep)).toBe(2);
    expect(await store.deleteSweep(plan.sweep)).toBeNull();
    expect(await store.status(plan.sweep)).toBeNull();
    expect(await query('SELECT FROM shards WHERE sweep_id = $1', [plan.sweep])).toEqual([]);
    await store.submit(fixtureSpec(grid), plan);
    expect(await store.status(plan.sweep)).toMatchObject({ state: 'done', cells: { measured: 2 } });
  });
});

const place = (worker: string): Place => ({ ...FIXTURE_PLACE, worker });
const worker = (id: string) => store.registerWorker({ id, host: 'h', pid: 1, processStarted: '', deviceClass: 'cpu', slots: 1, fingerprint: FIXTURE_PLACE.fingerprint, selfTest: 'passed', queue: `queue of ${id}`, memoryBytes: null, version: '0.1.0' });

describe('a shard whose checkpoint the worker does not hold', () => {
  it('goes to one that is at a shard of that checkpoint, where work waits for what the worker itself holds', async () => {
    await Promise.all([worker('at-ntk'), worker('at-pi')]);
    const [ntk, pi] = [await submitted('of-ntk', { continued: [512], methods: [{ name: 'ntk', factor: 8 }] }), await submitted('of-pi', { continued: [512], methods: [{ name: 'pi', factor: 8 }] })];
    const [running, waiting] = await Promise.all([shardsToStart(store, ntk, 1), shardsToStart(store, pi, 3)]);
    const weights = async (sweep: SweepId): Promise<WeightsId> => (await query<{ id: WeightsId }>('SELECT weights_id AS id FROM arms WHERE sweep_id = $1', [sweep]))[0]?.id ?? ('' as WeightsId);
    const [ofNtk, ofPi] = [await weights(ntk), await weights(pi)];
    const [first = '' as ShardId, second = '' as ShardId] = waiting;
    const asked = (shard: ShardId, ...idle: WeightsId[]) => store.heldElsewhere(shard, place('at-ntk'), idle);

    // Nobody is at it yet.
    expect(await asked(second, ofNtk)).toBeNull();
    await held(first, place('at-pi'));
    expect(await asked(second, ofNtk)).toEqual({ queue: 'queue of at-pi', waitMs: 15_000 });
    // A worker that holds it, or nothing, keeps it.
    expect(await asked(second, ofNtk, ofPi)).toBeNull();
    expect(await asked(second)).toBeNull();
    // What waits must not be of worse priority.
    await store.steer(ntk, { verb: 'set', priority: 4 });
    expect(await asked(second, ofNtk)).toBeNull();
    await store.steer(ntk, { verb: 'set', priority: 3 });
    expect(await asked(second, ofNtk)).not.toBeNull();
    // Where nothing waits for what the worker holds, it had better do something.
    await query("UPDATE shards SET state = 'leased' WHERE sweep_id = $1 AND id <> $2", [ntk, running[0] ?? '']);
    await held(running[0] ?? ('' as ShardId), place('at-ntk'));
    expect(await asked(second, ofNtk)).toBeNull();
    for (const sweep of [ntk, pi]) await store.finishSweep(sweep, 'stopped');
  });

  it('waits there ten times as long as loading it took, and not at all where that is nothing', async () => {
    await Promise.all([worker('here'), worker('there')]);
    const [mine, theirs] = [await submitted('mine', { continued: [256], methods: [{ name: 'ntk', factor: 8 }] }), await submitted('theirs', { continued: [256], methods: [{ name: 'pi', factor: 8 }] })];
    const [done = '' as ShardId, at = '' as ShardId, next = '' as ShardId] = await shardsToStart(store, theirs, 3);
    const [{ id } = { id: '' as WeightsId }] = await query<{ id: WeightsId }>('SELECT weights_id AS id FROM arms WHERE sweep_id = $1', [mine]);
    await held(at, place('there'));
    const loaded = (seconds: number) => query("UPDATE shards SET state = 'done', ended_at = now(), loads = 1, load_seconds = $2 WHERE id = $1", [done, seconds]);
    for (const [seconds, waitMs] of [[4, 40_000], [90, 60_000], [0.2, 15_000]] as const) {
      await loaded(seconds);
      expect(await store.heldElsewhere(next, place('here'), [id])).toEqual({ queue: 'queue of there', waitMs });
    }
    await loaded(0.01);
    expect(await store.heldElsewhere(next, place('here'), [id])).toBeNull();
    for (const sweep of [mine, theirs]) await store.finishSweep(sweep, 'stopped');
  });
});

describe('attempts', () => {
  const standing = (id: string) => store.heartbeatWorker(id, { draining: false, loaded: [] });
  const fails = async (shard: ShardId, id: string): Promise<void> => {
    const { lease } = await held(shard, place(id));
    await store.finishShard(lease, null, { code: 'SLOT_CRASHED', reason: 'it died' });
  };
  const succeeds = async (shard: ShardId, id: string): Promise<void> => {
    const { lease, job } = await held(shard, place(id));
    await store.record(lease, place(id), job.cells.map((cell) => fixtureResult(cell.key, cell.contextTokens)));
    await store.finishShard(lease, { promptTokens: 1, distinctTokens: 1, computedTokens: 1, completionTokens: 0, loadSeconds: 0.5, runSeconds: 1 }, null);
  };

  it('are rows: one that nobody ended was lost with its worker; loads are counted', async () => {
    const sweep = await submitted('attempts');
    const [shard = '' as ShardId] = await shardsToStart(store, sweep, 1);
    await held(shard, place('lost'));
    await fails(shard, 'crashing');
    await succeeds(shard, 'sound');
    expect(await query('SELECT lease, worker, code FROM shard_attempts WHERE shard_id = $1 ORDER BY lease', [shard])).toEqual([
      { lease: 1, worker: 'lost', code: 'WORKER_LOST' },
      { lease: 2, worker: 'crashing', code: 'SLOT_CRASHED' },
      { lease: 3, worker: 'sound', code: null },
    ]);
    expect(await query('SELECT loads, attempts FROM shards WHERE id = $1', [shard])).toEqual([{ loads: 1, attempts: 3 }]);
    expect((await store.situation(sweep))?.failures.map(({ code }) => code).sort()).toEqual(['SLOT_CRASHED', 'WORKER_LOST']);
  });

  it('set a worker aside that fails on several shards while others get on, with the reason', async () => {
    await Promise.all([worker('ill'), worker('well')]);
    const sweep = await submitted('aside');
    const [a = '' as ShardId, b = '' as ShardId, c = '' as ShardId] = await shardsToStart(store, sweep, 3);
    await fails(a, 'ill');
    await succeeds(c, 'well');
    await fails(b, 'ill');
    expect(await standing('ill')).toMatchObject({ state: 'ready' });
    await fails(a, 'ill');
    expect(await standing('ill')).toMatchObject({ state: 'aside', reason: expect.stringContaining('its last 3 attempts failed while other workers got on: SLOT_CRASHED it died') as string });
    expect(await standing('well')).toMatchObject({ state: 'ready' });
  });

  it('do not blame a worker for shards that fail elsewhere too, nor the only one of its class', async () => {
    await Promise.all([worker('one'), worker('two')]);
    const sweep = await submitted('poison');
    const [a = '' as ShardId, b = '' as ShardId, c = '' as ShardId] = await shardsToStart(store, sweep, 3);
    await fails(a, 'two');
    await succeeds(c, 'two');
    await fails(a, 'one');
    await fails(b, 'one');
    await fails(a, 'one');
    expect(await standing('one')).toMatchObject({ state: 'ready' });
    await worker('lonely');
    const other = await submitted('lonely', {}, {});
    const [d = '' as ShardId, e = '' as ShardId] = await shardsToStart(store, other, 2);
    for (const shard of [d, e, d]) await fails(shard, 'lonely');
    expect(await standing('lonely')).toMatchObject({ state: 'ready' });
  });
});
