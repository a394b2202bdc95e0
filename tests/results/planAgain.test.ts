import { describe, expect, it } from 'vitest';
import { PLACE_CODES, type ErrorCode } from '../../domain/errors.js';
import type { SweepId } from '../../domain/ids.js';
import type { PrismaStore } from '../../results/store.js';
import { FIXTURE_PLACE, fixturePlan, fixtureSpec, shardsToStart } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let store: PrismaStore;
useFreshStore((fresh) => ({ store } = fresh));

const grid = (name: string) => ({ name, contextTokens: [256], depths: [0, 0.5] });

/** Submits a sweep whose only shards are given up for this reason; returns its id. */
async function quarantined(name: string, code: ErrorCode): Promise<SweepId> {
  const plan = fixturePlan({ ...grid(name), seeds: [name.length * 100 + code.length] });
  await store.submit(fixtureSpec({ ...grid(name), seeds: [name.length * 100 + code.length] }), plan);
  for (const shard of await shardsToStart(store, plan.sweep, 10, [])) await store.failShard(shard, code, 'on purpose', 1);
  expect(await store.finishSweep(plan.sweep, null)).toBe('incomplete');
  return plan.sweep;
}

const resubmit = (name: string, code: ErrorCode) => {
  const one = { ...grid(name), seeds: [name.length * 100 + code.length] };
  return store.submit(fixtureSpec(one), fixturePlan(one));
};

describe('a cell that was quarantined', () => {
  it.each(PLACE_CODES)('for %s is unknown to a plan, and planned again by the next submission', async (code) => {
    const name = `place-${code.toLowerCase().replaceAll('_', '-')}`;
    const sweep = await quarantined(name, code);
    expect(await store.outcomes(sweep)).toHaveLength(2);
    const plan = fixturePlan({ ...grid(name), seeds: [name.length * 100 + code.length] });
    expect((await store.knownCells([plan.cells.map((cell) => cell.key)], plan)).size).toBe(0);
    expect(await resubmit(name, code)).toMatchObject({ revision: 1, created: false });
    expect(await store.status(sweep)).toMatchObject({ state: 'running', cells: { total: 2, planned: 2, failed: 0 } });
    const [shard] = await shardsToStart(store, sweep, 10, []);
    const leased = shard && (await store.lease(shard, FIXTURE_PLACE));
    expect(leased?.job.cells.length).toBeGreaterThan(0);
  });

  it('because it kills its slot stays failed until the engine changes', async () => {
    const sweep = await quarantined('poison', 'SLOT_CRASHED');
    const plan = fixturePlan({ ...grid('poison'), seeds: [612] });
    expect((await store.knownCells([plan.cells.map((cell) => cell.key)], plan)).size).toBe(2);
    expect((await store.knownCells([plan.cells.map((cell) => cell.key)], { ...plan, engineVersion: 'another engine' })).size).toBe(0);
    expect(await store.status(sweep)).toMatchObject({ state: 'incomplete', cells: { failed: 2 } });
  });
});

describe('a sweep that was stopped', () => {
  it('leases no shard to a workflow that still asks, and leases again when it is run again', async () => {
    const one = { ...grid('halted'), seeds: [7] };
    const { sweep } = await store.submit(fixtureSpec(one), fixturePlan(one));
    const [shard] = await shardsToStart(store, sweep, 1, []);
    if (shard === undefined) throw new Error('nothing to start');
    await store.finishSweep(sweep, 'stopped');
    expect(await store.lease(shard, FIXTURE_PLACE)).toBeNull();
    await store.submit(fixtureSpec(one), fixturePlan(one));
    expect(await store.lease(shard, FIXTURE_PLACE)).not.toBeNull();
  });
});
