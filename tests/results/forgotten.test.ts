/** Outcomes that hold no more: what a newer plan does not foresee, and what another sweep tries again. */
import { describe, expect, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import type { CellKey, SweepId } from '../../domain/ids.js';
import type { CellResult } from '../../domain/measurement.js';
import type { Plan } from '../../domain/plan.js';
import type { PrismaStore } from '../../results/store.js';
import { FIXTURE_CLASSES, FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, shardsToStart, type FixtureGrid } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let store: PrismaStore;
useFreshStore((fresh) => ({ store } = fresh));

/** Cells of each test are its own: the seed is. */
let seed = 70_000;
const gridOf = (name: string, grid: Partial<FixtureGrid> = {}): FixtureGrid => ({ name, contextTokens: [512, 4096], depths: [0, 1], seeds: [(seed += 10)], ...grid });
const submit = async (grid: FixtureGrid, plan: Plan = fixturePlan(grid)): Promise<SweepId> => (await store.submit(fixtureSpec(grid), plan)).sweep;
const keysOf = (plan: Plan): CellKey[] => plan.cells.map(({ key }) => key);

/** As a plan is where cells of 4096 tokens do not fit. */
function tooSmall(grid: FixtureGrid, reason = 'it takes 2.0 GiB, cpu has 1.0 GiB'): Plan {
  const plan = fixturePlan(grid);
  const isLong = ({ contextTokens }: Plan['cells'][number]) => contextTokens === 4096;
  const long = new Set(plan.cells.filter(isLong).map(({ key }) => key));
  const cells = plan.cells.map((cell) => (isLong(cell) ? { ...cell, state: 'infeasible' as const, reason, foreseen: [{ deviceClass: 'cpu', code: 'OUT_OF_MEMORY' as const, reason }] } : cell));
  return { ...plan, digest: digest([plan.digest, 'too small']), cells, shards: plan.shards.filter(({ cellKeys }) => !cellKeys.some((key) => long.has(key))), counts: { ...plan.counts, new: 2, infeasible: 2 } };
}

/** Evaluates what the sweep has open; every cell comes out like this. */
async function evaluate(sweep: SweepId, result: (key: CellKey) => CellResult): Promise<void> {
  for (const shard of await shardsToStart(store, sweep, 10)) {
    const leased = await store.lease(shard, FIXTURE_PLACE);
    if (leased === null) throw new Error('nothing was leased');
    await store.record(leased.lease, FIXTURE_PLACE, leased.job.cells.map(({ key }) => result(key)));
    await store.finishShard(leased.lease, null, null);
  }
}
const measures = (key: CellKey): CellResult => fixtureResult(key, 512);
const fails = (reason: string) => (key: CellKey): CellResult => ({ key, state: 'failed', code: 'CELL_FAILED', reason });

describe('a cell that a plan foresaw to be too large', () => {
  it('is not known to the next plan, which decides anew: with a class of more memory it is computed', async () => {
    const grid = gridOf('corrected');
    const sweep = await submit(grid, tooSmall(grid));
    expect(await store.status(sweep)).toMatchObject({ cells: { planned: 2, infeasible: 2 } });
    expect((await store.knownCells([keysOf(fixturePlan(grid))], FIXTURE_CLASSES)).size).toBe(0);
    await submit(grid);
    expect(await store.status(sweep)).toMatchObject({ revision: 2, state: 'running', cells: { planned: 4, infeasible: 0 } });
    await evaluate(sweep, measures);
    expect(await store.finishSweep(sweep, null)).toBe('done');
    expect(await store.status(sweep)).toMatchObject({ cells: { measured: 4 } });
  });

  it('is so again for a plan that still foresees it, with its newest reason, and for one that does so for the first time', async () => {
    const grid = gridOf('again');
    const sweep = await submit(grid, tooSmall(grid));
    await submit(grid, tooSmall(grid, 'it takes 2.1 GiB'));
    expect(await store.status(sweep)).toMatchObject({ revision: 1, cells: { planned: 2, infeasible: 2 } });
    expect((await store.outcomes(sweep)).map(({ reason }) => reason)).toEqual(['it takes 2.1 GiB', 'it takes 2.1 GiB']);
    await submit(grid);
    expect(await store.status(sweep)).toMatchObject({ revision: 2, cells: { planned: 4 } });
    await submit(grid, tooSmall(grid));
    expect(await store.status(sweep)).toMatchObject({ revision: 3, cells: { planned: 2, infeasible: 2 } });
    expect((await store.outcomes(sweep)).map(({ attempts }) => attempts)).toEqual([0, 0]);
  });

  it('is planned by the same plan of a version that counts memory otherwise', async () => {
    const grid = gridOf('upgraded');
    const before = tooSmall(grid);
    const sweep = await submit(grid, before);
    await submit(grid, { ...fixturePlan(grid), digest: before.digest });
    expect(await store.status(sweep)).toMatchObject({ revision: 1, cells: { planned: 4, infeasible: 0 } });
    await evaluate(sweep, measures);
    expect(await store.finishSweep(sweep, null)).toBe('done');
  });

  it('says why in another sweep that was not planned anew', async () => {
    const grid = gridOf('mended');
    const other = await submit({ ...grid, name: 'as-it-was' }, { ...tooSmall(grid), sweep: 'as-it-was' as SweepId });
    const sweep = await submit(grid, tooSmall(grid));
    await submit(grid);
    expect(await store.outcomes(other)).toMatchObject([1, 2].map(() => ({ state: 'infeasible', code: 'OUT_OF_MEMORY', reason: 'it takes 2.0 GiB, cpu has 1.0 GiB', triedAgainBy: [sweep] })));
    await evaluate(sweep, measures);
    expect(await store.status(other)).toMatchObject({ cells: { measured: 4, infeasible: 0 } });
  });

  it('and was tried on the larger class alone is known for a plan that finds it too large again, and only for that', async () => {
    const grid = gridOf('beside', { contextTokens: [4096], mixFingerprints: 'allow' });
    const classes = { ...FIXTURE_CLASSES, largerDeviceClass: 'large' };
    const plan = fixturePlan(grid);
    const cells = plan.cells.map((cell) => ({ ...cell, onLarger: true as const, foreseen: [{ deviceClass: 'cpu', code: 'OUT_OF_MEMORY' as const, reason: 'foreseen' }] }));
    const sweep = await submit(grid, { ...plan, ...classes, cells, shards: plan.shards.map((shard) => ({ ...shard, deviceClass: 'large' })) });
    const place = { ...FIXTURE_PLACE, deviceClass: 'large' };
    for (const shard of await shardsToStart(store, sweep, 1)) {
      const leased = await store.lease(shard, place);
      if (leased !== null) await store.record(leased.lease, place, keysOf(plan).map((key) => ({ key, state: 'infeasible', code: 'OUT_OF_MEMORY', reason: 'large was too small' })));
    }
    expect([...(await store.knownCells([keysOf(plan)], classes)).values()]).toEqual([1, 2].map(() => ({ state: 'infeasible', reason: 'large was too small', ifTooLarge: true })));
    expect((await store.knownCells([keysOf(plan)], FIXTURE_CLASSES)).size).toBe(0);
    // The plan without a larger class, on which everything fits.
    await submit(grid, { ...plan, digest: digest([plan.digest, 'fits']) });
    expect(await store.status(sweep)).toMatchObject({ cells: { planned: 2, infeasible: 0 }, openClasses: ['cpu'] });
  });
});

/** Two sweeps that have the same cells, which failed. */
async function twoSweeps(name: string, reason: string): Promise<[SweepId, SweepId]> {
  const grid = gridOf(name, { contextTokens: [512] });
  const other = await submit({ ...grid, name: `${name}-other` });
  const sweep = await submit(grid);
  await evaluate(sweep, fails(reason));
  for (const one of [sweep, other]) expect(await store.finishSweep(one, null)).toBe('incomplete');
  return [sweep, other];
}
const retryAll = async (sweep: SweepId): Promise<void> => {
  await store.retryCells(sweep, (await store.outcomes(sweep)).map(({ key }) => key));
  await store.steer(sweep, { verb: 'resume' });
};

describe('a cell that another sweep tries again', () => {
  it('reads as it failed last, and says who tries it, until it has numbers in both', async () => {
    const [sweep, other] = await twoSweeps('shared', 'it died');
    await retryAll(sweep);
    expect(await store.status(sweep)).toMatchObject({ cells: { planned: 2, failed: 0 } });
    expect(await store.outcomes(sweep)).toEqual([]);
    expect(await store.status(other)).toMatchObject({ cells: { planned: 0, failed: 2 } });
    expect(await store.outcomes(other)).toMatchObject([1, 2].map(() => ({ state: 'failed', reason: 'it died', attempts: 1, triedAgainBy: [sweep] })));
    expect((await store.rows(other)).cells.map(({ reason }) => reason)).toEqual(['CELL_FAILED: it died', 'CELL_FAILED: it died']);
    expect((await store.live(other)).detail?.failures).toMatchObject([{ code: 'CELL_FAILED', cells: 2, reason: 'it died' }]);
    expect((await store.situation(other))?.triedAgainBy).toEqual([{ sweep, cells: 2 }]);
    await evaluate(sweep, measures);
    for (const one of [sweep, other]) expect(await store.status(one)).toMatchObject({ cells: { measured: 2, failed: 0 } });
    expect((await store.situation(other))?.triedAgainBy).toEqual([]);
  });

  it('and fails anew reads as it failed then, in both', async () => {
    const [sweep, other] = await twoSweeps('fails-anew', 'it died');
    await retryAll(sweep);
    await evaluate(sweep, fails('it died of something else'));
    for (const one of [sweep, other]) expect(await store.outcomes(one)).toMatchObject([1, 2].map(() => ({ reason: 'it died of something else', triedAgainBy: [] })));
  });

  it('can be tried again from the other too', async () => {
    const [sweep, other] = await twoSweeps('both-retry', 'it died');
    await retryAll(sweep);
    await retryAll(other);
    expect(await store.status(other)).toMatchObject({ state: 'running', cells: { planned: 2, failed: 0 } });
    await evaluate(other, measures);
    expect(await store.status(sweep)).toMatchObject({ cells: { measured: 2 } });
  });

  it('because its place was mended keeps its reason in the other', async () => {
    const grid = gridOf('place', { contextTokens: [512] });
    const other = await submit({ ...grid, name: 'place-other' });
    const sweep = await submit(grid);
    for (const shard of await shardsToStart(store, sweep, 10)) await store.failShard(shard, 'CHECKPOINT_MISSING', 'no such folder', 1);
    await submit(grid);
    expect(await store.status(sweep)).toMatchObject({ cells: { planned: 2 } });
    expect(await store.outcomes(other)).toMatchObject([1, 2].map(() => ({ state: 'failed', code: 'CHECKPOINT_MISSING', reason: 'no such folder' })));
    // A bigger revision plans them anew as well.
    const bigger = { ...grid, depths: [0, 0.5, 1] };
    await submit(bigger, fixturePlan(bigger));
    expect(await store.status(sweep)).toMatchObject({ revision: 2, cells: { planned: 3, failed: 0 } });
  });
});

describe('what the plan of one sweep foresees', () => {
  it('does not take the place of what another one tried', async () => {
    const grid = gridOf('tried', { contextTokens: [4096] });
    const sweep = await submit(grid);
    await evaluate(sweep, (key) => ({ key, state: 'infeasible', code: 'OUT_OF_MEMORY', reason: 'it ran out' }));
    const [shard] = await shardsToStart(store, sweep, 1);
    expect(shard).toBeUndefined();
    const other = await submit({ ...grid, name: 'tried-other' }, { ...tooSmall(grid), sweep: 'tried-other' as SweepId });
    for (const one of [sweep, other]) expect((await store.outcomes(one)).map(({ reason, attempts }) => ({ reason, attempts }))).toEqual([1, 2].map(() => ({ reason: 'it ran out', attempts: 1 })));
    expect([...(await store.knownCells([keysOf(fixturePlan(grid))], FIXTURE_CLASSES)).values()].map(({ state }) => state)).toEqual(['infeasible', 'infeasible']);
  });
});

