/** Workers that died on this machine, as their neighbours report them, and those that have their pids since. */
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { Executions, WorkerRow } from '../../domain/ports.js';
import { identify, placeOfPids } from '../../infra/embedded/processIdentity.js';
import type { PrismaStore } from '../../results/store.js';
import { reportDeadNeighbours } from '../../worker/neighbours.js';
import { FIXTURE_PLACE, fixturePlan, fixtureSpec, shardsToStart } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let store: PrismaStore;
useFreshStore((fresh) => ({ store } = fresh));

const { pid } = process;
const living: WorkerRow = {
  id: `${hostname()}/${String(pid)}`, host: hostname(), pid, processStarted: identify(pid)?.started ?? '', deviceClass: 'cpu', slots: 1,
  fingerprint: FIXTURE_PLACE.fingerprint, selfTest: 'passed', queue: 'q', memoryBytes: null, version: '0',
}; // prettier-ignore
/** It had the pid that this process has now. */
const dead: WorkerRow = { ...living, processStarted: `${placeOfPids()}:0` };

/** What Temporal is told; `meanwhile` happens while it is. */
const telling = (told: [readonly string[], string][], meanwhile = (): Promise<void> => Promise.resolve()): Executions => ({
  running: () => Promise.resolve(new Set()),
  prioritise: () => Promise.resolve(),
  shardEnded: () => Promise.resolve(),
  loseWorker: async (workflowIds, worker) => {
    told.push([workflowIds, worker]);
    await meanwhile();
  },
});
const registered = async () => (await store.workerProcesses()).map(({ processStarted }) => processStarted);

describe('a worker whose process is gone', () => {
  it('is reported with the shards that it held, and leaves the registry', async () => {
    const grid = { name: 'held', contextTokens: [512], depths: [0], seeds: [1] };
    const { sweep } = await store.submit(fixtureSpec(grid), fixturePlan(grid));
    await store.registerWorker(dead);
    for (const shard of await shardsToStart(store, sweep, 1)) await store.lease(shard, { ...FIXTURE_PLACE, worker: dead.id });
    const told: [readonly string[], string][] = [];
    expect(await reportDeadNeighbours(store, telling(told))).toEqual([dead.id]);
    expect(told).toEqual([[[expect.stringContaining('sweep/held/shard/')], dead.id]]);
    expect(await registered()).toEqual([]);
    await store.finishSweep(sweep, 'stopped');
  });

  it('does not take the row along of a worker that got its pid while it was reported', async () => {
    await store.registerWorker(dead);
    expect(await reportDeadNeighbours(store, telling([], () => store.registerWorker(living)))).toEqual([dead.id]);
    expect(await registered()).toEqual([living.processStarted]);
    await store.unregisterWorker(dead);
    expect(await registered()).toEqual([living.processStarted]);
    await store.unregisterWorker(living);
    expect(await registered()).toEqual([]);
  });

  it('is not reported once another worker has its row: that one keeps its shards', async () => {
    const grid = { name: 'kept', contextTokens: [1024], depths: [0], seeds: [1] };
    const { sweep } = await store.submit(fixtureSpec(grid), fixturePlan(grid));
    await store.registerWorker(living);
    for (const shard of await shardsToStart(store, sweep, 1)) await store.lease(shard, { ...FIXTURE_PLACE, worker: living.id });
    // As a neighbour does that looked before the new one registered.
    expect(await store.loseWorker(dead)).toBeNull();
    expect((await store.situation(sweep))?.failures).toEqual([]);
    expect((await store.loseWorker(living))?.map((held) => held.sweep)).toEqual([sweep]);
    await store.unregisterWorker(living);
  });
});
