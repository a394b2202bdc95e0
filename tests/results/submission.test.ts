import { describe, expect, it } from 'vitest';
import { isNeedleRow } from '../../domain/rows.js';
import type { SweepId } from '../../domain/ids.js';
import { openStore, type PrismaStore } from '../../results/store.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { FIXTURE_CLASSES, FIXTURE_PLACE, fixtureNumbers, fixturePlan, fixtureResult, fixtureSpec, runFixture, type FixtureGrid, shardsToStart } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

const submit = (grid: FixtureGrid) => store.submit(fixtureSpec(grid), fixturePlan(grid));

describe('submitting', () => {
  const small: FixtureGrid = { name: 'grow', contextTokens: [256, 512], depths: [0, 0.5], seeds: [1, 2] };
  const sweep = fixturePlan(small).sweep;

  it('makes revision 1 with every cell planned, in shards that start longest first', async () => {
    const plan = fixturePlan(small);
    expect(await submit(small)).toEqual({ sweep, revision: 1, created: true });
    expect(await store.status(sweep)).toMatchObject({ state: 'running', revision: 1, cells: { total: 8, planned: 8 }, shards: { planned: 2 } });
    const longestFirst = [...plan.shards].sort((a, b) => b.cost.flops - a.cost.flops).map((shard) => shard.id);
    expect(await shardsToStart(store, sweep, 10, [])).toEqual(longestFirst);
    expect(await shardsToStart(store, sweep, 1, longestFirst.slice(0, 1))).toEqual(longestFirst.slice(1));
  });

  it('twice is once: the same plan makes no new revision and no new shard', async () => {
    expect(await submit(small)).toEqual({ sweep, revision: 1, created: false });
    expect(await store.status(sweep)).toMatchObject({ cells: { total: 8 }, shards: { planned: 2, superseded: 0 } });
  });

  it('at the same time from two processes makes one revision', async () => {
    const grid = { ...small, name: 'both' };
    const other = await openStore(database.url);
    const [a, b] = await Promise.all([submit(grid), other.submit(fixtureSpec(grid), fixturePlan(grid))]);
    await other.close();
    expect([a.revision, b.revision]).toEqual([1, 1]);
    expect([a.created, b.created].sort()).toEqual([false, true]);
  });

  it('of a bigger plan keeps what is measured, lets open shards of the same cells go on, and adds the rest', async () => {
    const [longest] = await shardsToStart(store, sweep, 1, []);
    const held = longest && (await store.lease(longest, FIXTURE_PLACE));
    const cell = held?.job.cells[0];
    if (!held || !cell) throw new Error('nothing was leased');
    await store.record(held.lease, FIXTURE_PLACE, [fixtureResult(cell.key, cell.contextTokens)]);

    const bigger = { ...small, contextTokens: [256, 512, 1024] };
    expect(await submit(bigger)).toEqual({ sweep, revision: 2, created: true });
    expect(await store.status(sweep)).toMatchObject({
      cells: { total: 12, measured: 1, planned: 11 },
      shards: { planned: 2, leased: 1, superseded: 0 },
    });
    // The attempt that was under way keeps its lease.
    await store.record(held.lease, FIXTURE_PLACE, held.job.cells.map((open) => fixtureResult(open.key, open.contextTokens)));
    await store.finishShard(held.lease, null, null);
    await runFixture(store, sweep);
    expect(await store.status(sweep)).toMatchObject({ state: 'done', cells: { total: 12, measured: 12 }, shards: { done: 3 } });
  });

  it('of a plan whose cells are all known has nothing to start and is done', async () => {
    const grid = { ...small, name: 'known' };
    const keys = fixturePlan(grid).cells.map((cell) => cell.key);
    const known = await store.knownCells([keys], FIXTURE_CLASSES);
    expect([...known.values()].every((cell) => cell.state === 'measured')).toBe(true);
    const plan = fixturePlan({ ...grid, known: new Map(keys.map((key) => [key, 'measured'])) });
    expect(plan.shards).toEqual([]);
    await store.submit(fixtureSpec(grid), plan);
    expect(await shardsToStart(store, plan.sweep, 10, [])).toEqual([]);
    expect(await store.status(plan.sweep)).toMatchObject({ state: 'done', cells: { measured: 8, planned: 0 } });
  });

  it('of a plan with other shards supersedes the open ones, and their attempts can write no more', async () => {
    const grid: FixtureGrid = { name: 'regroup', contextTokens: [300], depths: [0, 1], seeds: [1] };
    await submit(grid);
    const plan = fixturePlan(grid);
    const [shard] = await shardsToStart(store, plan.sweep, 1, []);
    const held = shard && (await store.lease(shard, FIXTURE_PLACE));
    if (!held) throw new Error('nothing was leased');
    await submit({ ...grid, depths: [0, 0.5, 1] });
    expect(await store.endedShards([held.lease.shard])).toEqual([held.lease.shard]);
    expect(await store.lease(held.lease.shard, FIXTURE_PLACE)).toBeNull();
    await expect(store.finishShard(held.lease, null, null)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await store.status(plan.sweep)).toMatchObject({ cells: { total: 3, planned: 3 }, shards: { superseded: 1, planned: 1 } });
  });

  it('of a smaller plan lets cells without numbers go, and going back to the bigger one plans them again', async () => {
    const grid: FixtureGrid = { name: 'shrink', contextTokens: [400, 500], depths: [0, 1], seeds: [1] };
    const { sweep: shrink } = fixturePlan(grid);
    await submit(grid);
    await submit({ ...grid, contextTokens: [400] });
    await runFixture(store, shrink);
    expect(await store.status(shrink)).toMatchObject({ state: 'done', cells: { total: 2, measured: 2 } });
    const known = new Map(fixturePlan({ ...grid, contextTokens: [400] }).cells.map((cell) => [cell.key, 'measured' as const]));
    expect(await submit({ ...grid, known })).toMatchObject({ revision: 3, created: true });
    expect(await store.status(shrink)).toMatchObject({ state: 'running', cells: { total: 4, planned: 2 } });
    await runFixture(store, shrink);
    expect(await store.status(shrink)).toMatchObject({ state: 'done', cells: { measured: 4 } });
  });

  it('of the cells another sweep has open shares the measurements but not the shards', async () => {
    const grid: FixtureGrid = { name: 'first', contextTokens: [600], depths: [0, 1], seeds: [1] };
    const twin = { ...grid, name: 'second' };
    await submit(grid);
    await submit(twin);
    const [first, second] = [fixturePlan(grid).sweep, fixturePlan(twin).sweep];
    const [ofFirst] = await shardsToStart(store, first, 10, []);
    const [ofSecond] = await shardsToStart(store, second, 10, []);
    expect(ofSecond).toBeDefined();
    expect(ofSecond).not.toBe(ofFirst);
    await runFixture(store, first);
    expect(await store.status(second)).toMatchObject({ cells: { measured: 2, planned: 0 } });
    const held = ofSecond && (await store.lease(ofSecond, FIXTURE_PLACE));
    expect(held && held.job.cells).toEqual([]);
    if (held) await store.finishShard(held.lease, null, null);
    expect(await store.finishSweep(second, null)).toBe('done');
  });
});

describe('rows', () => {
  it('are equal bit for bit in two sweeps that evaluated the same cells in another order', async () => {
    const grid: FixtureGrid = { name: 'rows-a', methods: [{ name: 'none' }, { name: 'pi', factor: 93.06048528410128 }], contextTokens: [700, 800], depths: [0, 1], seeds: [1, 2] };
    await submit(grid);
    await runFixture(store, fixturePlan(grid).sweep);
    const second = await freshDatabase();
    const other = await openStore(second.url);
    await other.submit(fixtureSpec(grid), fixturePlan(grid));
    const sweep: SweepId = fixturePlan(grid).sweep;
    for (const shard of (await shardsToStart(other, sweep, 50, [])).reverse()) {
      const held = await other.lease(shard, FIXTURE_PLACE);
      for (const cell of [...(held?.job.cells ?? [])].reverse()) {
        if (held) await other.record(held.lease, FIXTURE_PLACE, [fixtureResult(cell.key, cell.contextTokens)]);
      }
      if (held) await other.finishShard(held.lease, null, null);
    }
    const numbers = async (from: PrismaStore) => (await from.rows(sweep)).cells.filter(isNeedleRow).map((cell) => ({ ...cell, measured: null }));
    const rows = await numbers(store);
    expect(rows).toHaveLength(16);
    expect(await numbers(other)).toEqual(rows);
    // What comes out is what went in, to the last bit.
    for (const row of rows) expect(row.needle).toEqual(fixtureNumbers(row.key, row.contextTokens));
    const { arms } = await store.rows(sweep);
    expect(arms.map((arm) => arm.effectiveScale)).toEqual(fixturePlan(grid).arms.map((arm) => arm.effectiveScale));
    await other.close();
    await second.drop();
  });

  it('of an unknown sweep are SWEEP_UNKNOWN', async () => {
    await expect(store.rows('nobody' as SweepId)).rejects.toMatchObject({ code: 'SWEEP_UNKNOWN' });
  });
});
