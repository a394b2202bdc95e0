/** A larger device class: cells that run out of memory on the sweep's own are tried there once, and nowhere else. */
import pg from 'pg';
import { expect, describe, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import type { CellKey, ShardId, SweepId } from '../../domain/ids.js';
import type { CellResult } from '../../domain/measurement.js';
import { evaluationQueue } from '../../domain/orchestration.js';
import type { Plan, PlanClasses } from '../../domain/plan.js';
import type { LeasedShard, Place } from '../../domain/ports.js';
import type { PrismaStore } from '../../results/store.js';
import { FIXTURE_CLASSES, FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, type FixtureGrid, shardsToStart } from '../stack/seed.js';
import type { TestDatabase } from '../stack/postgres.js';
import { useFreshStore } from '../stack/store.js';

let store: PrismaStore;
let database: TestDatabase;
useFreshStore((fresh) => ({ store, database } = fresh));

async function query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

const LARGE: Place = { ...FIXTURE_PLACE, worker: 'large-worker', deviceClass: 'large' };
const BOTH: PlanClasses = { ...FIXTURE_CLASSES, largerDeviceClass: 'large' };

/** Cells of each test are its own: the seed is. */
let seed = 90_000;
const gridOf = (name: string, grid: Partial<FixtureGrid> = {}): FixtureGrid => ({ name, contextTokens: [512], depths: [0, 1], seeds: [(seed += 10)], mixFingerprints: 'allow', ...grid });

/** @param foreseen context lengths that the plan knows to be too large for the sweep's own class */
function planOf(grid: FixtureGrid, foreseen: readonly number[] = []): Plan {
  const plan = fixturePlan(grid);
  const isForeseen = ({ contextTokens }: { readonly contextTokens: number }) => foreseen.includes(contextTokens);
  const lengthOf = new Map(plan.cells.map((cell) => [cell.key, cell]));
  return {
    ...plan,
    ...BOTH,
    digest: digest([plan.digest, 'large']),
    cells: plan.cells.map((cell) => (isForeseen(cell) ? { ...cell, onLarger: true, reason: 'foreseen', foreseen: [{ deviceClass: 'cpu', code: 'OUT_OF_MEMORY', reason: 'foreseen' }] } : cell)),
    shards: plan.shards.map((shard) => (shard.cellKeys.some((key) => isForeseen(lengthOf.get(key) ?? { contextTokens: 0 })) ? { ...shard, deviceClass: 'large' } : shard)),
  };
}

const submit = async (grid: FixtureGrid, plan: Plan): Promise<SweepId> => (await store.submit(fixtureSpec(grid), plan)).sweep;

async function held(sweep: SweepId, place: Place): Promise<LeasedShard> {
  const { shards } = await store.nextShards(sweep, []);
  const shard = shards.find((one) => one.evaluationQueue === evaluationQueue(place.deviceClass));
  const leased = shard && (await store.lease(shard.shard, place));
  if (!leased) throw new Error(`nothing was leased on ${place.deviceClass}`);
  return leased;
}

const tooLarge = (key: CellKey, reason = 'out of memory: exit code 134'): CellResult => ({ key, state: 'infeasible', code: 'OUT_OF_MEMORY', reason });
const keysOf = ({ job }: LeasedShard): CellKey[] => job.cells.map(({ key }) => key);

/** Evaluates a shard whose cells all come out like this; returns how many cells it handed on. */
async function evaluate(sweep: SweepId, place: Place, result: (key: CellKey) => CellResult): Promise<number> {
  const leased = await held(sweep, place);
  await store.record(leased.lease, place, keysOf(leased).map((key) => result(key)));
  return store.finishShard(leased.lease, null, null);
}
const measures = (key: CellKey): CellResult => fixtureResult(key, 512);

const outcomesOf = (key: CellKey) => query('SELECT device_class, state::text AS state, code, attempts FROM outcomes WHERE cell_key = $1 AND NOT forgotten ORDER BY device_class', [key]);

describe('a cell that runs out of memory', () => {
  it('goes on into a shard of the larger class, costs and all, and is measured there', async () => {
    const grid = gridOf('moves');
    const sweep = await submit(grid, planOf(grid));
    const leased = await held(sweep, FIXTURE_PLACE);
    const [first = '' as CellKey, second = '' as CellKey] = keysOf(leased);
    await store.record(leased.lease, FIXTURE_PLACE, [measures(first), tooLarge(second)]);
    expect(await store.status(sweep)).toMatchObject({ cells: { planned: 1, measured: 1, infeasible: 0 }, openClasses: ['cpu', 'large'] });
    // Whatever becomes of the attempt that said so: it is in the store.
    const { shards } = await store.nextShards(sweep, [leased.lease.shard]);
    expect(shards).toMatchObject([{ evaluationQueue: 'ropesweep-evaluate-large', crashes: 0 }]);
    expect(await store.finishShard(leased.lease, null, null)).toBe(1);
    expect(await store.finishShard(leased.lease, null, null)).toBe(1);
    const costs = await query<{ state: string; class: string; flops: number }>(`SELECT state::text AS state, device_class AS class, cost_flops AS flops FROM shards WHERE sweep_id = $1 ORDER BY device_class`, [sweep]);
    expect(costs).toEqual([{ state: 'done', class: 'cpu', flops: leased.job.flops / 2 }, { state: 'planned', class: 'large', flops: leased.job.flops / 2 }]);
    const larger = await held(sweep, LARGE);
    expect(keysOf(larger)).toEqual([second]);
    await store.record(larger.lease, LARGE, [measures(second)]);
    expect(await store.finishShard(larger.lease, null, null)).toBe(0);
    expect(await store.finishSweep(sweep, null)).toBe('done');
    expect(await query('SELECT device_class, worker FROM measurements WHERE cell_key = $1', [second])).toEqual([{ device_class: 'large', worker: 'large-worker' }]);
    expect(await query(`SELECT shard, device_class, handed_on FROM reporting.shards WHERE sweep = $1 AND handed_on > 0`, [sweep])).toEqual([{ shard: leased.lease.shard, device_class: 'cpu', handed_on: 1 }]);
  });

  it('on the larger class too is infeasible for good, with what happened on both', async () => {
    const grid = gridOf('twice');
    const plan = planOf(grid);
    const sweep = await submit(grid, plan);
    expect(await evaluate(sweep, FIXTURE_PLACE, (key) => tooLarge(key, 'cpu was too small'))).toBe(2);
    expect(await evaluate(sweep, LARGE, (key) => tooLarge(key, 'large was too small'))).toBe(0);
    expect(await shardsToStart(store, sweep, 5)).toEqual([]);
    expect(await store.finishSweep(sweep, null)).toBe('incomplete');
    expect(await store.status(sweep)).toMatchObject({ cells: { infeasible: 2, planned: 0 }, openClasses: [] });
    expect(await store.outcomes(sweep)).toMatchObject([1, 2].map(() => ({ state: 'infeasible', code: 'OUT_OF_MEMORY', deviceClass: 'large', reason: 'large was too small', attempts: 2 })));
    const keys = plan.cells.map(({ key }) => key);
    expect([...(await store.knownCells([keys], BOTH)).values()]).toEqual(keys.map(() => ({ state: 'infeasible', reason: 'cpu was too small; large was too small' })));
    expect((await store.knownScores(keys, BOTH)).size).toBe(2);
    await submit(grid, plan);
    expect(await store.status(sweep)).toMatchObject({ cells: { infeasible: 2, planned: 0 } });
    // What views, reports and the live view show of it is one outcome, not two.
    expect((await store.rows(sweep)).cells.map(({ reason }) => reason)).toEqual(keys.map(() => 'OUT_OF_MEMORY: large was too small'));
    expect(await query('SELECT device_class, reason FROM reporting.outcomes WHERE sweep = $1', [sweep])).toEqual(keys.map(() => ({ device_class: 'large', reason: 'large was too small' })));
    expect(await query('SELECT code, reason FROM reporting.needle_cells WHERE sweep = $1', [sweep])).toEqual(keys.map(() => ({ code: 'OUT_OF_MEMORY', reason: 'large was too small' })));
    expect((await store.live(sweep)).detail?.failures).toMatchObject([{ code: 'OUT_OF_MEMORY', cells: 2, reason: 'large was too small' }]);
  });

  it('and fails on the larger class reads as failed, and is planned there again where the place was to blame', async () => {
    const grid = gridOf('fails-there');
    const plan = planOf(grid);
    const sweep = await submit(grid, plan);
    await evaluate(sweep, FIXTURE_PLACE, tooLarge);
    const [shard = '' as ShardId] = await shardsToStart(store, sweep, 1);
    await store.failShard(shard, 'CHECKPOINT_MISSING', 'no such folder', 1);
    expect(await store.status(sweep)).toMatchObject({ cells: { failed: 2 } });
    expect(await store.outcomes(sweep)).toMatchObject([1, 2].map(() => ({ state: 'failed', code: 'CHECKPOINT_MISSING', deviceClass: 'large' })));
    expect([...(await store.knownCells([plan.cells.map(({ key }) => key)], BOTH)).values()].map(({ state }) => state)).toEqual(['planned', 'planned']);
    // As the planner makes it of what the store knows.
    const again = planOf(grid, [512]);
    await submit(grid, again);
    expect(await store.status(sweep)).toMatchObject({ state: 'running', cells: { planned: 2 }, openClasses: ['large'] });
    await evaluate(sweep, LARGE, measures);
    expect(await store.finishSweep(sweep, null)).toBe('done');
  });

  it('in a sweep without a larger class is infeasible at once', async () => {
    const grid = gridOf('alone');
    const sweep = await submit(grid, fixturePlan(grid));
    expect(await evaluate(sweep, FIXTURE_PLACE, tooLarge)).toBe(0);
    expect(await shardsToStart(store, sweep, 5)).toEqual([]);
    expect(await store.status(sweep)).toMatchObject({ cells: { infeasible: 2 }, shards: { done: 1, planned: 0 } });
    expect([...(await store.knownCells([fixturePlan(grid).cells.map(({ key }) => key)], FIXTURE_CLASSES)).values()].map(({ state }) => state)).toEqual(['infeasible', 'infeasible']);
  });

  it('is planned on the larger class once a revision names one, and infeasible again in one that does not', async () => {
    const grid = gridOf('extended');
    const alone = fixturePlan(grid);
    const sweep = await submit(grid, alone);
    await evaluate(sweep, FIXTURE_PLACE, tooLarge);
    expect(await store.finishSweep(sweep, null)).toBe('incomplete');
    const keys = alone.cells.map(({ key }) => key);
    expect([...(await store.knownCells([keys], BOTH)).values()]).toEqual(keys.map(() => ({ state: 'planned', reason: 'out of memory: exit code 134' })));
    expect((await store.knownScores(keys, BOTH)).size).toBe(0);
    await submit(grid, planOf(grid, [512]));
    expect(await store.status(sweep)).toMatchObject({ revision: 2, state: 'running', cells: { planned: 2, infeasible: 0 }, openClasses: ['large'] });
    await submit(grid, { ...alone, shards: [], cells: alone.cells.map((cell) => ({ ...cell, state: 'infeasible' })) });
    expect(await store.status(sweep)).toMatchObject({ revision: 3, cells: { planned: 0, infeasible: 2 }, shards: { superseded: 1 } });
  });
});

describe('a cell that the plan foresees to be too large', () => {
  it('starts on the larger class, with the outcome of the other known before anybody tried', async () => {
    const grid = gridOf('foreseen', { contextTokens: [512, 4096] });
    const plan = planOf(grid, [4096]);
    const sweep = await submit(grid, plan);
    expect(await store.status(sweep)).toMatchObject({ cells: { planned: 4, infeasible: 0 } });
    const larger = await held(sweep, LARGE);
    expect(larger.job.cells.map(({ contextTokens }) => contextTokens)).toEqual([4096, 4096]);
    const [key = '' as CellKey] = keysOf(larger);
    expect(await outcomesOf(key)).toEqual([{ device_class: 'cpu', state: 'infeasible', code: 'OUT_OF_MEMORY', attempts: 0 }]);
    await store.record(larger.lease, LARGE, keysOf(larger).map((one) => tooLarge(one)));
    await store.finishShard(larger.lease, null, null);
    await evaluate(sweep, FIXTURE_PLACE, measures);
    expect(await store.status(sweep)).toMatchObject({ cells: { measured: 2, infeasible: 2 } });
    // It was tried on the larger class alone, and is tried there alone again.
    expect(await store.retryCells(sweep, [key])).toBe(1);
    expect(await outcomesOf(key)).toHaveLength(1);
    await store.steer(sweep, { verb: 'resume' });
    expect(keysOf(await held(sweep, LARGE))).toEqual([key]);
  });

  it('on both is infeasible without a shard', async () => {
    const grid = gridOf('foreseen-twice');
    const plan = planOf(grid);
    const foreseen = ['cpu', 'large'].map((deviceClass) => ({ deviceClass, code: 'OUT_OF_MEMORY' as const, reason: `${deviceClass} has too little` }));
    const counts = { ...plan.counts, new: 0, infeasible: 2 };
    const sweep = await submit(grid, { ...plan, counts, shards: [], cells: plan.cells.map((cell) => ({ ...cell, state: 'infeasible', foreseen })) });
    expect(await store.status(sweep)).toMatchObject({ state: 'done', cells: { infeasible: 2 } });
    expect(await store.outcomes(sweep)).toMatchObject([1, 2].map(() => ({ deviceClass: 'large', reason: 'large has too little', attempts: 0 })));
  });

  it('and that refinement asks for is open there too', async () => {
    const grid = gridOf('refined');
    const plan = planOf(grid);
    const sweep = await submit(grid, plan);
    const more = planOf({ ...grid, contextTokens: [8192] }, [8192]);
    const cells = more.cells.flatMap((cell) => (cell.taskKind === 'needle' ? [{ ...cell, origin: 'refine' as const }] : []));
    expect(await store.extend({ plan, spec: fixtureSpec(grid), cells, shards: more.shards, tables: new Map(), refinement: [] })).toBe(2);
    const larger = await held(sweep, LARGE);
    expect(larger.job.cells.map(({ contextTokens }) => contextTokens)).toEqual([8192, 8192]);
    await store.record(larger.lease, LARGE, keysOf(larger).map((key) => tooLarge(key)));
    expect(await store.status(sweep)).toMatchObject({ cells: { infeasible: 2 } });
  });
});

describe('retrying', () => {
  it('forgets what happened on both classes and begins with the first', async () => {
    const grid = gridOf('retried');
    const sweep = await submit(grid, planOf(grid));
    await evaluate(sweep, FIXTURE_PLACE, tooLarge);
    await evaluate(sweep, LARGE, tooLarge);
    await store.finishSweep(sweep, null);
    const keys = (await store.outcomes(sweep)).map(({ key }) => key);
    expect(await store.retryCells(sweep, keys)).toBe(2);
    expect(await outcomesOf(keys[0] ?? ('' as CellKey))).toEqual([]);
    await store.steer(sweep, { verb: 'resume' });
    expect((await store.status(sweep))?.openClasses).toEqual(['cpu']);
    await evaluate(sweep, FIXTURE_PLACE, measures);
    expect(await store.finishSweep(sweep, null)).toBe('done');
  });

  it('in one sweep gives the cells back that another has on the larger class', async () => {
    const grid = gridOf('waits-there');
    const sweep = await submit(grid, planOf(grid));
    const other = await submit({ ...grid, name: 'retries' }, fixturePlan({ ...grid, name: 'retries' }));
    await evaluate(other, FIXTURE_PLACE, tooLarge);
    expect(await evaluateEmpty(sweep, FIXTURE_PLACE)).toBe(2);
    await store.retryCells(other, (await store.outcomes(other)).map(({ key }) => key));
    expect(await evaluateEmpty(sweep, LARGE)).toBe(2);
    await evaluate(sweep, FIXTURE_PLACE, measures);
    expect(await store.finishSweep(sweep, null)).toBe('done');
    expect(await store.finishSweep(other, null)).toBe('done');
  });
});

/** A shard with no cell left to evaluate: the lease has handed them on. */
async function evaluateEmpty(sweep: SweepId, place: Place): Promise<number> {
  const leased = await held(sweep, place);
  expect(keysOf(leased)).toEqual([]);
  return store.finishShard(leased.lease, null, null);
}

describe('two sweeps with a cell in common', () => {
  it('learn from each other that it is too large: for one class when a shard is leased, for both at once', async () => {
    const grid = gridOf('learns', { depths: [0, 0.5, 1] });
    const sweep = await submit(grid, planOf(grid));
    const small = { ...grid, name: 'teaches', depths: [0] };
    const other = await submit(small, planOf(small));
    await evaluate(other, FIXTURE_PLACE, tooLarge);
    const leased = await held(sweep, FIXTURE_PLACE);
    expect(keysOf(leased)).toHaveLength(2);
    await store.record(leased.lease, FIXTURE_PLACE, keysOf(leased).map(measures));
    expect(await store.finishShard(leased.lease, null, null)).toBe(1);
    expect(await store.status(sweep)).toMatchObject({ cells: { planned: 1, measured: 2 }, openClasses: ['large'] });
    await evaluate(other, LARGE, tooLarge);
    expect(await store.status(sweep)).toMatchObject({ cells: { planned: 0, infeasible: 1 } });
    expect(await evaluateEmpty(sweep, LARGE)).toBe(0);
  });
});

describe('a page of shards to start', () => {
  it('has two windows of each class at most: the window shares itself out', async () => {
    const long = Array.from({ length: 8 }, (_, index) => 4096 + index);
    const grid = gridOf('halves', { contextTokens: [512, 513, 514, 515, 516, 517, ...long], depths: [0] });
    const sweep = (await store.submit({ ...fixtureSpec(grid), concurrency: 3 }, planOf(grid, long))).sweep;
    const isLarger = async (except: readonly ShardId[]) => (await store.nextShards(sweep, except)).shards.map(({ shard, evaluationQueue: queue }) => ({ shard, larger: queue === evaluationQueue('large') }));
    const page = await isLarger([]);
    expect(page.map(({ larger }) => larger)).toEqual([...Array<boolean>(6).fill(true), ...Array<boolean>(6).fill(false)]);
    await query(`UPDATE shards SET state = 'done' WHERE sweep_id = $1 AND device_class = 'cpu'`, [sweep]);
    expect((await isLarger(page.slice(0, 6).map(({ shard }) => shard))).map(({ larger }) => larger)).toEqual([true, true]);
  });
});
