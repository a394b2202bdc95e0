import { expect, it } from 'vitest';
import type { PrismaStore } from '../../results/store.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, type FixtureGrid, shardsToStart } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let store: PrismaStore;
useFreshStore((fresh) => ({ store } = fresh));

it('the rate of a device class is that of the finished shards of the checkpoints asked for', async () => {
  const grid: FixtureGrid = { name: 'rates', contextTokens: [512], depths: [0, 1], seeds: [1] };
  const plan = fixturePlan(grid);
  await store.submit(fixtureSpec(grid), plan);
  const weightsIds = plan.arms.map(({ checkpoint }) => checkpoint.weightsId);
  expect(await store.measuredRates(weightsIds)).toEqual(new Map());

  const [shard] = await shardsToStart(store, plan.sweep, 1, []);
  const held = shard && (await store.lease(shard, FIXTURE_PLACE));
  if (!held) throw new Error('nothing was leased');
  await store.record(held.lease, FIXTURE_PLACE, held.job.cells.map((cell) => fixtureResult(cell.key, cell.contextTokens)));
  await store.finishShard(held.lease, { promptTokens: 1024, distinctTokens: 1000, computedTokens: 1000, completionTokens: 0, loadSeconds: 1, runSeconds: 4 }, null);

  expect(await store.measuredRates([held.job.checkpoint.weightsId])).toEqual(
    new Map([[plan.deviceClass, { flopsPerSecond: held.job.flops / 4, slowFlopsPerSecond: held.job.flops / 4, fastFlopsPerSecond: held.job.flops / 4, shards: 1 }]]),
  );
  expect(await store.measuredRates(['other' as (typeof weightsIds)[number]])).toEqual(new Map());
});
