import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import { id, type ShardId, type SweepId } from '../../domain/ids.js';
import type { PlannedCell } from '../../domain/plan.js';
import type { Refinement } from '../../domain/refinement.js';
import { isNeedleRow } from '../../domain/rows.js';
import type { CellOrigin } from '../../domain/states.js';
import type { Extension } from '../../results/extension.js';
import { openStore, type PrismaStore } from '../../results/store.js';
import type { TestDatabase } from '../stack/postgres.js';
import { FIXTURE_CLASSES, FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, runFixture, type FixtureGrid } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

/** Depths of its own give a test cells that no other has measured. */
const grid = (name: string, depth: number): FixtureGrid => ({ name, contextTokens: [256, 1024], depths: [depth, 1 - depth], seeds: [1, 2] });
const FOUND: Refinement = [{ task: 0, toleranceTokens: 64, threshold: 0.9, confidence: 0.95, maximumCells: 100, auditCells: 1, arms: [] }];

/** Cells of other lengths and seeds, of the fixture's arm, in one shard a length. */
function extension(of: FixtureGrid, contextTokens: readonly number[], seeds: readonly number[], origin: CellOrigin = 'refine'): Extension {
  const plan = fixturePlan(of);
  const more = fixturePlan({ ...of, contextTokens, seeds });
  const needles = more.cells.filter((cell): cell is Extract<PlannedCell, { taskKind: 'needle' }> => cell.taskKind === 'needle');
  return { plan, spec: fixtureSpec(of), cells: needles.map((cell) => ({ ...cell, origin })), shards: more.shards, tables: new Map(), refinement: FOUND };
}

const originsOf = async (sweep: SweepId): Promise<Record<string, number>> => {
  const { cells } = await store.rows(sweep);
  return Object.fromEntries(['grid', 'refine', 'audit'].map((origin) => [origin, cells.filter((cell) => cell.origin === origin).length]));
};

async function lengthsOfHeatmap(sweep: SweepId): Promise<number[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ length: number }>('SELECT DISTINCT context_tokens AS length FROM reporting.needle_heatmap WHERE sweep = $1 ORDER BY 1', [sweep]);
  await client.end();
  return rows.map(({ length }) => length);
}

/** All, page by page: canaries come first. */
async function openShards(sweep: SweepId): Promise<ShardId[]> {
  const shards: ShardId[] = [];
  for (;;) {
    const page = await store.nextShards(sweep, shards);
    if (page.shards.length === 0) return shards;
    shards.push(...page.shards.map(({ shard }) => shard));
  }
}

describe('extending a sweep', () => {
  it('adds cells with their origin to the current revision, which stays what it is, and the sweep runs again', async () => {
    const of = grid('more', 0);
    const { sweep } = fixturePlan(of);
    await store.submit(fixtureSpec(of), fixturePlan(of));
    await runFixture(store, sweep);
    expect(await store.status(sweep)).toMatchObject({ state: 'done', cells: { total: 8 } });

    expect(await store.extend(extension(of, [512, 640], [1, 2]))).toBe(8);
    expect(await store.extend(extension(of, [700], [5], 'audit'))).toBe(2);
    expect(await store.status(sweep)).toMatchObject({ state: 'running', revision: 1, cells: { total: 18, measured: 8, planned: 10 }, shards: { planned: 3 } });
    await runFixture(store, sweep);
    expect(await store.status(sweep)).toMatchObject({ state: 'done', revision: 1, cells: { total: 18, measured: 18 } });
    expect(await originsOf(sweep)).toEqual({ grid: 8, refine: 8, audit: 2 });
    const rows = await store.rows(sweep);
    expect(rows.planDigest).toBe(fixturePlan(of).digest);
    expect(rows.refinement).toEqual(FOUND);
    // Dashboards pool what the grid has.
    expect(await lengthsOfHeatmap(sweep)).toEqual([256, 1024]);
    for (const cell of rows.cells.filter(isNeedleRow)) expect(fixtureResult(cell.key, cell.contextTokens)).toMatchObject({ needle: cell.needle });
  });

  it('twice is once, and from two processes at once too: no cell gets a second shard', async () => {
    const of = grid('twice', 0.02);
    const { sweep } = fixturePlan(of);
    await store.submit(fixtureSpec(of), fixturePlan(of));
    const other = await openStore(database.url);
    const added = await Promise.all([store.extend(extension(of, [512], [1, 2])), other.extend(extension(of, [512], [1, 2]))]);
    await other.close();
    expect(added.sort()).toEqual([0, 4]);
    expect(await store.extend(extension(of, [512], [1, 2]))).toBe(0);
    // Another process that packs otherwise adds only what is not under way.
    const wider = extension(of, [512, 640], [1, 2]);
    const [first, ...others] = wider.shards;
    if (first === undefined) throw new Error('no shard');
    const joined = { ...first, id: id<ShardId>(digest('joined')), cellKeys: [...first.cellKeys, ...others.flatMap(({ cellKeys }) => cellKeys)] };
    expect(await store.extend({ ...wider, shards: [joined] })).toBe(4);
    const status = await store.status(sweep);
    expect(status).toMatchObject({ cells: { total: 16, planned: 16 }, shards: { planned: 4, superseded: 0 } });
    const leased = await Promise.all((await openShards(sweep)).map((shard) => store.lease(shard, FIXTURE_PLACE)));
    const keys = leased.flatMap((held) => held?.job.cells.map(({ key }) => key) ?? []);
    expect(keys).toHaveLength(16);
    expect(new Set(keys).size).toBe(16);
  });

  it('takes measurements of other sweeps as they are, and says how cells came out', async () => {
    const of = grid('cached', 0);
    const { sweep } = fixturePlan(of);
    await store.submit(fixtureSpec(of), fixturePlan(of));
    const more = extension(of, [512], [1, 2]);
    const known = await store.knownScores(more.cells.map(({ key }) => key), FIXTURE_CLASSES);
    // Measured for the first test's sweep.
    expect(known.size).toBe(4);
    for (const cell of more.cells) {
      const result = fixtureResult(cell.key, cell.contextTokens);
      expect(result).toMatchObject({ state: 'measured', needle: known.get(cell.key)?.numbers ?? {} });
    }
    expect(await store.extend({ ...more, shards: [] })).toBe(0);
    expect(await store.status(sweep)).toMatchObject({ cells: { total: 12, measured: 12 } });
  });

  it('puts cells whose shard is gone into a new one, once a submission has forgotten that the place failed them', async () => {
    const of = grid('stray', 0.04);
    const plan = fixturePlan(of);
    await store.submit(fixtureSpec(of), plan);
    const more = extension(of, [900], [1, 2]);
    await store.extend(more);
    for (const shard of await openShards(plan.sweep)) await store.failShard(shard, 'CHECKPOINT_MISSING', 'not here', 1);
    expect(await store.knownScores(more.cells.map(({ key }) => key), FIXTURE_CLASSES)).toEqual(new Map());
    // Within a run the place is as it was: nothing is tried again.
    expect(await store.extend(more)).toBe(0);
    expect(await store.status(plan.sweep)).toMatchObject({ cells: { planned: 0 } });
    await store.submit(fixtureSpec(of), plan);
    expect(await store.extend(more)).toBe(4);
    expect(await store.status(plan.sweep)).toMatchObject({ state: 'running', cells: { planned: 12, failed: 0 } });
  });

  it('changes nothing where another plan is current by now', async () => {
    const of = grid('replaced', 0.05);
    const { sweep } = fixturePlan(of);
    await store.submit(fixtureSpec(of), fixturePlan(of));
    const bigger = { ...of, contextTokens: [256, 1024, 1280] };
    await store.submit(fixtureSpec(bigger), fixturePlan(bigger));
    const before = await store.status(sweep);
    expect(await store.extend(extension(of, [512], [9]))).toBeNull();
    expect(await store.status(sweep)).toEqual(before);
  });

  it('is forgotten by a new revision but for what is measured; a cell that the bigger grid has is one of the grid', async () => {
    const of = grid('grown', 0.06);
    const { sweep } = fixturePlan(of);
    await store.submit(fixtureSpec(of), fixturePlan(of));
    await runFixture(store, sweep);
    await store.extend(extension(of, [2048], [1, 2]));
    await runFixture(store, sweep);
    await store.extend(extension(of, [3000], [7]));
    const bigger = { ...of, contextTokens: [256, 1024, 2048] };
    await store.submit(fixtureSpec(bigger), fixturePlan({ ...bigger, known: new Map(fixturePlan(bigger).cells.map(({ key }) => [key, 'measured'])) }));
    expect(await originsOf(sweep)).toEqual({ grid: 12, refine: 0, audit: 0 });
    expect((await store.rows(sweep)).refinement).toBeNull();
    expect(await store.status(sweep)).toMatchObject({ state: 'done', revision: 2, cells: { total: 12, measured: 12 } });
  });

  it('adds tables that submitting the plan again does not take away', async () => {
    const of = grid('tables', 0.07);
    const plan = fixturePlan(of);
    await store.submit(fixtureSpec(of), plan);
    const [arm] = plan.arms;
    const table = arm?.tables['*'];
    if (arm === undefined || table === undefined) throw new Error('no arm');
    const byLength = { ...plan, arms: [{ ...arm, tables: { '256': table, '1024': table } }] };
    await store.submit(fixtureSpec(of), byLength);
    await store.extend({ ...extension(of, [512], [8]), tables: new Map([[arm.id, { '512': table }]]) });
    await store.submit(fixtureSpec(of), byLength);
    for (const shard of await openShards(plan.sweep)) {
      const held = await store.lease(shard, FIXTURE_PLACE);
      expect(held?.job.tables.map(({ digest: own }) => own)).toEqual([table.digest]);
    }
  });
});
