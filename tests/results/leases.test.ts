import { describe, expect, it } from 'vitest';
import { isNeedleRow } from '../../domain/rows.js';
import pg from 'pg';
import type { LeasedShard, Place } from '../../domain/ports.js';
import type { SweepId } from '../../domain/ids.js';
import type { PrismaStore } from '../../results/store.js';
import type { TestDatabase } from '../stack/postgres.js';
import { FIXTURE_CLASSES, FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, runFixture, type FixtureGrid, shardsToStart } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

/** Cells of each test are its own: the seed is. */
let seed = 100;
async function submitted(grid: Partial<FixtureGrid> & { name: string }): Promise<{ sweep: SweepId; grid: FixtureGrid }> {
  seed += 1;
  const full: FixtureGrid = { contextTokens: [512], depths: [0, 0.5, 1], seeds: [seed], ...grid };
  const plan = fixturePlan(full);
  await store.submit(fixtureSpec(full), plan);
  return { sweep: plan.sweep, grid: full };
}

async function leaseNext(sweep: SweepId, place: Place = FIXTURE_PLACE): Promise<LeasedShard> {
  const [shard] = await shardsToStart(store, sweep, 1, []);
  const held = shard && (await store.lease(shard, place));
  if (!held) throw new Error('nothing was leased');
  return held;
}
const resultsOf = (held: LeasedShard) => held.job.cells.map((cell) => fixtureResult(cell.key, cell.contextTokens));

describe('a lease', () => {
  it('carries everything a slot needs, tables as numbers', async () => {
    const { sweep, grid } = await submitted({ name: 'job', methods: [{ name: 'pi', factor: 4 }] });
    const plan = fixturePlan(grid);
    const { job, attempt, lease } = await leaseNext(sweep);
    expect({ attempt, number: lease.number }).toEqual({ attempt: 1, number: 1 });
    const [arm] = plan.arms;
    expect(job).toMatchObject({
      checkpoint: { folder: arm?.checkpoint.folder, weightsId: arm?.checkpoint.weightsId },
      tables: [arm?.tables['*']],
      task: plan.tasks[0],
      dtype: 'f32',
      flops: plan.shards[0]?.cost.flops,
    });
    expect(job.cells.map((cell) => cell.axes)).toMatchObject([{ depth: 0 }, { depth: 0.5 }, { depth: 1 }]);
  });

  it('fences the attempt before it: its writes are LEASE_LOST and nothing of them is kept', async () => {
    const { sweep } = await submitted({ name: 'fence' });
    const first = await leaseNext(sweep);
    const second = await leaseNext(sweep);
    expect(second.lease.number).toBe(first.lease.number + 1);
    await expect(store.record(first.lease, FIXTURE_PLACE, resultsOf(first))).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await expect(store.finishShard(first.lease, null, null)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await store.status(sweep)).toMatchObject({ cells: { measured: 0 }, runningCells: 3 });
    await store.record(second.lease, FIXTURE_PLACE, resultsOf(second));
    await store.finishShard(second.lease, null, null);
    expect(await store.status(sweep)).toMatchObject({ cells: { measured: 3 }, runningCells: 0, shards: { done: 1 } });
  });

  it('goes to one attempt only when many ask at once', async () => {
    const { sweep } = await submitted({ name: 'many' });
    const [shard] = await shardsToStart(store, sweep, 1, []);
    if (shard === undefined) throw new Error('no shard');
    const leases = await Promise.all(Array.from({ length: 8 }, () => store.lease(shard, FIXTURE_PLACE)));
    expect(leases.map((held) => held?.lease.number).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('after a half-done attempt has the cells that are left', async () => {
    const { sweep } = await submitted({ name: 'half' });
    const first = await leaseNext(sweep);
    await store.record(first.lease, FIXTURE_PLACE, resultsOf(first).slice(0, 1));
    await store.finishShard(first.lease, null, null);
    const second = await leaseNext(sweep);
    expect(second.attempt).toBe(2);
    expect(second.job.cells.map((cell) => cell.key)).toEqual(first.job.cells.slice(1).map((cell) => cell.key));
  });

  it('is over when the sweep ends, and the shard is planned again', async () => {
    const { sweep } = await submitted({ name: 'cancel' });
    const held = await leaseNext(sweep);
    expect(await store.finishSweep(sweep, 'cancelled')).toBe('cancelled');
    await expect(store.record(held.lease, FIXTURE_PLACE, resultsOf(held))).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await store.status(sweep)).toMatchObject({ state: 'cancelled', runningCells: 0, shards: { planned: 1 } });
    expect(await store.finishSweep(sweep, null)).toBe('cancelled');
  });
});

describe('recording', () => {
  it('keeps the first numbers of a cell, says measured to the second writer, and changes no counter twice', async () => {
    const { sweep, grid } = await submitted({ name: 'first-wins' });
    const { sweep: twin } = await submitted({ ...grid, name: 'first-wins-twin' });
    const [a, b] = [await leaseNext(sweep), await leaseNext(twin)];
    await store.record(a.lease, FIXTURE_PLACE, resultsOf(a));
    const forged = resultsOf(b).map((result) => (result.state === 'measured' && 'needle' in result ? { ...result, needle: { ...result.needle, sumNll: 99 } } : result));
    await store.record(b.lease, FIXTURE_PLACE, forged);
    await store.record(b.lease, FIXTURE_PLACE, forged);
    for (const name of [sweep, twin]) {
      expect((await store.rows(name)).cells.filter(isNeedleRow).map((cell) => cell.needle?.sumNll)).not.toContain(99);
      expect(await store.status(name)).toMatchObject({ cells: { total: 3, measured: 3, planned: 0 } });
    }
  });

  it('of the same cells by two sweeps at once neither deadlocks nor counts twice', async () => {
    const depths = Array.from({ length: 40 }, (_, index) => index / 40);
    const { sweep, grid } = await submitted({ name: 'race-a', depths });
    const { sweep: twin } = await submitted({ ...grid, name: 'race-b' });
    const [a, b] = [await leaseNext(sweep), await leaseNext(twin)];
    await Promise.all([
      ...resultsOf(a).map((result) => store.record(a.lease, FIXTURE_PLACE, [result])),
      store.record(b.lease, FIXTURE_PLACE, resultsOf(b).reverse()),
    ]);
    for (const name of [sweep, twin]) expect(await store.status(name)).toMatchObject({ cells: { total: 40, measured: 40 } });
  });

  it('stores a diverged cell without numbers', async () => {
    const { sweep } = await submitted({ name: 'diverged' });
    const held = await leaseNext(sweep);
    const cell = held.job.cells[0];
    if (cell === undefined) throw new Error('no cell');
    await store.record(held.lease, FIXTURE_PLACE, [{ key: cell.key, state: 'diverged', seconds: 1, tokenDigest: 'tokens' }]);
    const row = (await store.rows(sweep)).cells.find((one) => one.key === cell.key);
    expect(row).toMatchObject({ state: 'diverged', needle: null, measured: { worker: FIXTURE_PLACE.worker } });
  });

  it('leaves measurements immutable for everybody', async () => {
    const { sweep } = await submitted({ name: 'immutable' });
    await runFixture(store, sweep);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await expect(client.query('UPDATE needle_results SET entropy = 0')).rejects.toThrow('immutable');
    await expect(client.query('UPDATE measurements SET seconds = 0')).rejects.toThrow('immutable');
    await client.end();
  });
});

describe('quarantine', () => {
  it('gives what is left its reason, ends the sweep incomplete, and belongs to the engine version', async () => {
    const { sweep, grid } = await submitted({ name: 'poison' });
    const held = await leaseNext(sweep);
    await store.record(held.lease, FIXTURE_PLACE, resultsOf(held).slice(0, 1));
    await store.failShard(held.lease.shard, 'SLOT_CRASHED', 'the slot died of signal 11', 5);
    await expect(store.record(held.lease, FIXTURE_PLACE, resultsOf(held))).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await store.status(sweep)).toMatchObject({ cells: { measured: 1, failed: 2, planned: 0 }, shards: { failed: 1 } });
    expect(await store.finishSweep(sweep, null)).toBe('incomplete');
    expect(await store.outcomes(sweep)).toMatchObject([
      { axes: { depth: 0.5 }, state: 'failed', code: 'SLOT_CRASHED', reason: 'the slot died of signal 11', attempts: 5 },
      { axes: { depth: 1 } },
    ]);

    const keys = fixturePlan(grid).cells.map((cell) => cell.key);
    const count = (known: Map<unknown, { state: string }>) => [...known.values()].map((cell) => cell.state).sort();
    expect(count(await store.knownCells([keys], FIXTURE_CLASSES))).toEqual(['failed', 'failed', 'measured']);
    expect(count(await store.knownCells([keys], { ...FIXTURE_CLASSES, engineVersion: 'a newer engine' }))).toEqual(['measured']);
    expect(count(await store.knownCells([keys], { ...FIXTURE_CLASSES, deviceClass: 'h100' }))).toEqual(['measured']);
  });

  it('is left by a newer engine version: the cells are planned again and may be measured', async () => {
    const { sweep, grid } = await submitted({ name: 'retry', depths: [0.25] });
    const held = await leaseNext(sweep);
    await store.failShard(held.lease.shard, 'SLOT_CRASHED', 'crashed', 5);
    const newer = { ...grid, engineVersion: 'a newer engine' };
    const submission = await store.submit(fixtureSpec(newer), fixturePlan(newer));
    expect(submission).toMatchObject({ revision: 2, created: true });
    expect(await store.status(sweep)).toMatchObject({ state: 'running', cells: { planned: 1, failed: 0 }, shards: { failed: 1, planned: 1 } });
    await runFixture(store, sweep, { ...FIXTURE_PLACE, engineVersion: 'a newer engine' });
    expect(await store.status(sweep)).toMatchObject({ state: 'done', cells: { measured: 1 } });
    expect(await store.outcomes(sweep)).toEqual([]);
  });

  it('of a shard whose cells all have numbers quarantines none', async () => {
    const { sweep } = await submitted({ name: 'late' });
    const held = await leaseNext(sweep);
    await store.record(held.lease, FIXTURE_PLACE, resultsOf(held));
    await store.failShard(held.lease.shard, 'WORKER_LOST', 'lost', 5);
    expect(await store.status(sweep)).toMatchObject({ cells: { measured: 3, failed: 0 }, shards: { done: 1 } });
  });

  it('an out-of-memory cell is infeasible, and its shard is done', async () => {
    const { sweep } = await submitted({ name: 'memory', depths: [0.75] });
    const held = await leaseNext(sweep);
    const results = held.job.cells.map((cell) => ({ key: cell.key, state: 'infeasible' as const, code: 'OUT_OF_MEMORY' as const, reason: '9 GB of 8' }));
    await store.record(held.lease, FIXTURE_PLACE, results);
    await store.finishShard(held.lease, null, null);
    expect(await store.finishSweep(sweep, null)).toBe('incomplete');
    expect(await store.status(sweep)).toMatchObject({ cells: { infeasible: 1 }, shards: { done: 1 } });
    expect((await store.rows(sweep)).cells[0]).toMatchObject({ state: 'infeasible', reason: 'OUT_OF_MEMORY: 9 GB of 8' });
  });
});

describe('the end of a sweep whose backlog was empty', () => {
  it('is not written where somebody added cells meanwhile', async () => {
    const { sweep } = await submitted({ name: 'settled', depths: [0.4] });
    expect(await store.settleSweep(sweep)).toBeNull();
    expect(await store.status(sweep)).toMatchObject({ state: 'running' });
    const held = await leaseNext(sweep);
    await store.record(held.lease, FIXTURE_PLACE, resultsOf(held));
    // Its worker may still be about to say that it is done.
    expect(await store.settleSweep(sweep)).toBe('done');
  });
});

describe('mixFingerprints', () => {
  const elsewhere: Place = { ...FIXTURE_PLACE, worker: 'other', fingerprint: 'another CPU' };
  const methods: FixtureGrid['methods'] = [{ name: 'none' }, { name: 'pi', factor: 2 }];

  it('perArm keeps an arm to the kind of node that measured its first cell', async () => {
    const { sweep } = await submitted({ name: 'per-arm', methods });
    const first = await leaseNext(sweep);
    // Nothing is measured yet: whoever measures first decides.
    const [otherArm] = await shardsToStart(store, sweep, 1, [first.lease.shard]);
    await store.record(first.lease, FIXTURE_PLACE, resultsOf(first).slice(0, 1));
    await expect(store.lease(first.lease.shard, elsewhere)).rejects.toMatchObject({ code: 'FINGERPRINT_MIXED', retryable: true });
    await store.record(first.lease, FIXTURE_PLACE, resultsOf(first));
    const held = otherArm && (await store.lease(otherArm, elsewhere));
    if (!held) throw new Error('the other arm is free');
    await store.record(held.lease, elsewhere, resultsOf(held));
    await expect(store.record(held.lease, FIXTURE_PLACE, resultsOf(held))).rejects.toMatchObject({ code: 'FINGERPRINT_MIXED' });
  });

  it('refuse keeps the whole sweep to one, cached measurements included', async () => {
    const { sweep } = await submitted({ name: 'refuse', methods, mixFingerprints: 'refuse' });
    const first = await leaseNext(sweep);
    await store.record(first.lease, FIXTURE_PLACE, resultsOf(first));
    await store.finishShard(first.lease, null, null);
    const [next] = await shardsToStart(store, sweep, 1, []);
    if (next === undefined) throw new Error('no shard');
    await expect(store.lease(next, elsewhere)).rejects.toMatchObject({ code: 'FINGERPRINT_MIXED' });
  });

  it('refuse does not submit a plan whose cached cells are of two kinds already', async () => {
    const { sweep, grid } = await submitted({ name: 'mixed', methods, mixFingerprints: 'allow' });
    const shards = await shardsToStart(store, sweep, 2, []);
    for (const [index, place] of [FIXTURE_PLACE, elsewhere].entries()) {
      const shard = shards[index];
      const held = shard && (await store.lease(shard, place));
      if (held) await store.record(held.lease, place, resultsOf(held));
    }
    const strict = { ...grid, name: 'strict', mixFingerprints: 'refuse' as const };
    await expect(store.submit(fixtureSpec(strict), fixturePlan(strict))).rejects.toMatchObject({ code: 'FINGERPRINT_MIXED' });
    expect(await store.status(fixturePlan(strict).sweep)).toBeNull();
  });
});

describe('the registry and the file digests', () => {
  it('keep one row a worker and one digest a file version', async () => {
    const worker = { id: 'w1', host: 'h', pid: 1, processStarted: '', deviceClass: 'cpu', slots: 2, fingerprint: 'f', selfTest: 'passed' as const, queue: 'q', memoryBytes: 2 ** 34, version: '0.1.0' };
    await store.registerWorker(worker);
    await store.registerWorker({ ...worker, pid: 2 });
    expect(await store.heartbeatWorker('w1', { draining: false, loaded: [] })).toEqual({ state: 'ready', reason: null });
    expect(await store.heartbeatWorker('gone', { draining: false, loaded: [] })).toBeNull();
    await store.unregisterWorker(worker);
    const file = { path: '/w/model.safetensors', size: 5_000_000_000, mtimeMs: 1_700_000_000_000.25, sha256: 'abc' };
    await store.saveFileDigest(file);
    await store.saveFileDigest(file);
    expect(await store.fileDigest(file.path, file.size, file.mtimeMs)).toBe('abc');
    expect(await store.fileDigest(file.path, file.size, file.mtimeMs + 1)).toBeNull();
  });
});
