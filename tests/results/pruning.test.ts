import { describe, expect, it } from 'vitest';
import { Database } from '../../results/database.js';
import { holdOffPruning, prune } from '../../results/pruning.js';
import type { PrismaStore } from '../../results/store.js';
import type { TestDatabase } from '../stack/postgres.js';
import { FIXTURE_CLASSES, fixturePlan, fixtureSpec, runFixture, type FixtureGrid } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

const grid: FixtureGrid = { name: 'kept', contextTokens: [256, 512], depths: [0, 1], seeds: [1] };
const other: FixtureGrid = { ...grid, name: 'gone', contextTokens: [512, 1024] };
const submit = (which: FixtureGrid) => store.submit(fixtureSpec(which), fixturePlan(which));
const rowsOf = (found: readonly { what: string; rows: number }[]) => Object.fromEntries(found.flatMap(({ what, rows }) => (rows > 0 ? [[what, rows]] : [])));

describe('pruning', () => {
  it('finds nothing where sweeps need everything, and removes nothing', async () => {
    await submit(grid);
    await submit(other);
    await runFixture(store, fixturePlan(grid).sweep);
    await runFixture(store, fixturePlan(other).sweep);
    expect(rowsOf(await store.prunable())).toEqual({});
    expect(rowsOf(await store.prune())).toEqual({});
    expect(await store.size()).toMatchObject({
      sweeps: [
        { sweep: 'gone', cells: 4, measurements: 4, shared: 2, revisions: 1 },
        { sweep: 'kept', cells: 4, measurements: 4, shared: 2, revisions: 1 },
      ],
    });
  });

  it('says what it would remove of a deleted sweep without removing it, and removes just that', async () => {
    await store.deleteSweep(fixturePlan(other).sweep);
    expect(rowsOf(await store.prunable())).toEqual({ 'measurements of cells that no sweep has': 2 });
    expect(rowsOf(await store.prunable())).toEqual(rowsOf(await store.prune()));
    expect(rowsOf(await store.prunable())).toEqual({});
    const before = (await store.rows(fixturePlan(grid).sweep)).cells;
    expect(before).toHaveLength(4);
    expect(before.every(({ measured }) => measured !== null)).toBe(true);
    const { tables } = await store.size();
    expect(tables.find(({ table }) => table === 'needle_results')?.rows).toBe(4);
  });

  it('removes superseded shards, and the revisions and arms that only they held', async () => {
    const regrouped: FixtureGrid = { name: 'regrouped', methods: [{ name: 'none' }, { name: 'pi', factor: 4 }], contextTokens: [300], depths: [0, 1], seeds: [9] };
    await submit(regrouped);
    await submit({ ...regrouped, methods: [{ name: 'none' }], depths: [0, 0.5, 1] });
    expect(rowsOf(await store.prune())).toEqual({ 'superseded shards': 2, 'old revisions that no shard is of': 1, 'arms of old revisions without cells': 1 });
    const { sweep } = fixturePlan(regrouped);
    await runFixture(store, sweep);
    expect(await store.status(sweep)).toMatchObject({ state: 'done', cells: { measured: 3 }, shards: { superseded: 0 } });
  });

  it('waits for a submission under way, which keeps what it counts on', async () => {
    const submitting = new Database(database.url);
    const pruning = new Database(database.url);
    const steps: string[] = [];
    let pruned: Promise<unknown> = Promise.resolve();
    await submitting.write(async (transaction) => {
      await holdOffPruning(transaction);
      pruned = prune(pruning).then(() => steps.push('pruned'));
      await new Promise((resolve) => setTimeout(resolve, 300));
      steps.push('submitted');
    });
    await pruned;
    expect(steps).toEqual(['submitted', 'pruned']);
    await Promise.all([submitting.close(), pruning.close()]);
  });

  it('after a plan was made makes it stale: its submission says so, and a new plan computes the cells', async () => {
    const plan = fixturePlan({ ...other, known: new Map(fixturePlan(other).cells.map(({ key }) => [key, 'measured'])) });
    await expect(store.submit(fixtureSpec(other), plan)).rejects.toMatchObject({ code: 'PLAN_STALE' });
    const known = await store.knownCells([plan.cells.map(({ key }) => key)], FIXTURE_CLASSES);
    expect(known.size).toBe(2);
    const fresh = { ...other, known: new Map([...known].map(([key, { state }]) => [key, state])) };
    await submit(fresh);
    await runFixture(store, plan.sweep);
    expect(await store.status(plan.sweep)).toMatchObject({ state: 'done', cells: { measured: 4 } });
  });
});
