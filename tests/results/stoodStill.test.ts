import { expect, it } from 'vitest';
import { Database } from '../../results/database.js';
import { lockShard } from '../../results/shardRow.js';
import { FIXTURE_PLACE, fixturePlan, fixtureSpec, shardsToStart } from '../stack/seed.js';
import { useFreshStore, type FreshStore } from '../stack/store.js';

let fresh: FreshStore;
useFreshStore((opened) => (fresh = opened));

it('a process that stands still in the middle of a transaction keeps nobody from its shard, and is told that its store was lost', async () => {
  const { store, database } = fresh;
  const grid = { name: 'still', contextTokens: [256], depths: [0], seeds: [1] };
  const plan = fixturePlan(grid);
  await store.submit(fixtureSpec(grid), plan);
  const [shard] = await shardsToStart(store, plan.sweep, 1, []);
  if (shard === undefined) throw new Error('the fixture has no shard');

  const still = new Database(database.url, 300);
  let goOn: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => (goOn = resolve));
  let locked: () => void = () => undefined;
  const holds = new Promise<void>((resolve) => (locked = resolve));
  const zombie = still.write(async (transaction) => {
    await lockShard(transaction, shard);
    locked();
    await stopped;
    await lockShard(transaction, shard);
  });
  zombie.catch(() => undefined);
  await holds;
  expect((await store.lease(shard, FIXTURE_PLACE))?.attempt).toBe(1);
  goOn();
  await expect(zombie).rejects.toMatchObject({ code: 'STORE_LOST' });
  await still.close();
});
