import { describe, expect, it } from 'vitest';
import pg from 'pg';
import { isNeedleRow } from '../../domain/rows.js';
import { CONNECTIONS, Database } from '../../results/database.js';
import type { PrismaStore } from '../../results/store.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { fixturePlan, fixtureSpec, runFixture, type FixtureGrid } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

const submit = (grid: FixtureGrid) => store.submit(fixtureSpec(grid), fixturePlan(grid));

async function query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = [], { url } = database): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

describe('the cells of a submission', () => {
  const grid: FixtureGrid = { name: 'ordered', methods: [{ name: 'none' }, { name: 'pi', factor: 4 }], contextTokens: [256, 512], depths: [0, 0.5, 1], seeds: [1, 2] };

  it('lie in the order of the plan, so that what a shard has is read together', async () => {
    await submit(grid);
    const stored = await query<{ key: string }>(`SELECT cell_key AS key FROM memberships WHERE sweep_id = 'ordered' ORDER BY ctid`);
    expect(stored.map(({ key }) => key)).toEqual(fixturePlan(grid).cells.map(({ key }) => key));
  });

  it('stay on their pages when they get their state, so that no index is written', async () => {
    const pages = () => query(`SELECT cell_key, (ctid::text::point)[0] AS page FROM memberships WHERE sweep_id = 'large' ORDER BY cell_key`);
    const large: FixtureGrid = { ...grid, name: 'large', seeds: Array.from({ length: 20 }, (_, seed) => seed + 100) };
    await submit(large);
    const before = await pages();
    expect(new Set(before.map(({ page }) => page as number)).size).toBeGreaterThan(5);
    await runFixture(store, fixturePlan(large).sweep);
    expect(await store.status(fixturePlan(large).sweep)).toMatchObject({ cells: { measured: before.length } });
    expect(await pages()).toEqual(before);
  });

  it('that an arm has twice are one member', async () => {
    const plan = fixturePlan({ ...grid, name: 'doubled' });
    await store.submit(fixtureSpec({ ...grid, name: 'doubled' }), { ...plan, cells: [...plan.cells, ...plan.cells] });
    expect(await store.status(plan.sweep)).toMatchObject({ cells: { total: plan.cells.length } });
  });

  it('leave nothing behind where the submission does not come to its end', async () => {
    const plan = fixturePlan({ ...grid, name: 'broken' });
    const [first] = plan.cells;
    if (first === undefined) throw new Error('the fixture has cells');
    // No number: PostgreSQL refuses the copy in its middle.
    const cells = [...plan.cells, { ...first, contextTokens: 'many' as unknown as number, key: `${first.key}x` as typeof first.key }];
    await expect(store.submit(fixtureSpec({ ...grid, name: 'broken' }), { ...plan, cells })).rejects.toThrow(/integer/);
    expect(await store.status(plan.sweep)).toBeNull();
    expect(await query(`SELECT 1 FROM pg_class WHERE relname = 'submitted_cells'`)).toEqual([]);
  });
});

describe('rows', () => {
  it('come in the order of their axes, however the sweep grew', async () => {
    const grid: FixtureGrid = { name: 'grown', contextTokens: [512], depths: [0, 1], seeds: [2] };
    await submit(grid);
    await submit({ ...grid, contextTokens: [256, 512], depths: [0, 0.5, 1], seeds: [1, 2] });
    const { cells } = await store.rows(fixturePlan(grid).sweep);
    const places = cells.filter(isNeedleRow).map(({ contextTokens, depth, seed }) => [contextTokens, depth, seed]);
    expect(places).toEqual([256, 512].flatMap((context) => [0, 0.5, 1].flatMap((depth) => [1, 2].map((seed) => [context, depth, seed]))));
  });
});

describe('what goes takes along what hangs on it', () => {
  const grid: FixtureGrid = { name: 'going', contextTokens: [256], depths: [0, 1], seeds: [7] };

  it('a shard is forgotten by its cells, which stay', async () => {
    await submit(grid);
    await query(`DELETE FROM shards WHERE sweep_id = 'going'`);
    expect(await query(`SELECT shard_id AS shard FROM memberships WHERE sweep_id = 'going'`)).toEqual([{ shard: null }, { shard: null }]);
  });

  it('a sweep takes its cells and its progress, and leaves the measurements', async () => {
    await submit({ ...grid, name: 'kept' });
    await runFixture(store, fixturePlan({ ...grid, name: 'kept' }).sweep);
    await query(`DELETE FROM sweeps WHERE id IN ('going', 'kept')`);
    expect(await query(`SELECT 1 FROM memberships WHERE sweep_id IN ('going', 'kept')`)).toEqual([]);
    expect(await query(`SELECT 1 FROM sweep_progress WHERE sweep_id IN ('going', 'kept')`)).toEqual([]);
    const keys = fixturePlan(grid).cells.map(({ key }) => key);
    expect(await query(`SELECT 1 FROM measurements WHERE cell_key = ANY ($1)`, [keys])).toHaveLength(2);
  });
});

describe('a process', () => {
  it(`has at most ${CONNECTIONS} connections however much it asks at once, and one more while it submits`, async () => {
    const alone = await freshDatabase();
    const own = new Database(alone.url);
    let most = 0;
    const count = async () => {
      const [{ open } = { open: '0' }] = await query<{ open: string }>(
        `SELECT count(*) AS open FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ropesweep'`,
        [],
        alone,
      );
      most = Math.max(most, Number(open));
    };
    const busy = Array.from({ length: 20 }, () => own.read((client) => client.$queryRaw`SELECT pg_sleep(0.05)::text`));
    const bulk = own.writeInBulk(async (transaction) => {
      await transaction.$queryRaw`SELECT pg_sleep(0.2)::text`;
      await count();
    });
    await count();
    await Promise.all([...busy, bulk]);
    await own.close();
    await alone.drop();
    expect(most).toBe(CONNECTIONS + 1);
  });
});
