import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isNeedleRow } from '../../domain/rows.js';
import { startPostgres, type PostgresServer } from '../../infra/embedded/postgres.js';
import { migrate } from '../../results/migrate.js';
import { openStore, type PrismaStore } from '../../results/store.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, shardsToStart } from '../stack/seed.js';

describe('a PostgreSQL that is killed', () => {
  const grid = { name: 'killed', contextTokens: [256, 512, 1024, 2048], depths: [0, 0.5, 1], seeds: [1, 2, 3] };
  const plan = fixturePlan(grid);
  let folder: string;
  let port: number;
  let server: PostgresServer;
  let store: PrismaStore;
  // Durable, as in production: what was committed must be there after the kill.
  const start = () => startPostgres({ folder: join(folder, 'postgres'), port, logFile: join(folder, 'postgres.log') });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ropesweep-killed-'));
    port = await getPort();
    server = await start();
    await migrate(server.url);
    store = await openStore(server.url);
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Tries as a caller does: again while the store is lost. Every other error is a failure of the test. */
  async function insist<Result>(work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if ((error as { code?: string }).code !== 'STORE_LOST') throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  it('is STORE_LOST while it is away, and afterwards the same store goes on: nothing lost, nothing twice', async () => {
    await store.submit(fixtureSpec(grid), plan);
    let recorded = 0;
    const attempts = (await shardsToStart(store, plan.sweep, 10, [])).map(async (shard) => {
      const held = await insist(() => store.lease(shard, FIXTURE_PLACE));
      for (const cell of held?.job.cells ?? []) {
        await insist(() => held ? store.record(held.lease, FIXTURE_PLACE, [fixtureResult(cell.key, cell.contextTokens)]) : Promise.resolve());
        recorded += 1;
      }
      if (held) await insist(() => store.finishShard(held.lease, null, null));
    });
    while (recorded < 6) await new Promise((resolve) => setTimeout(resolve, 5));
    process.kill(server.pid, 'SIGKILL');
    await server.exited;
    await expect(store.status(plan.sweep)).rejects.toMatchObject({ code: 'STORE_LOST', retryable: true });
    await expect(store.submit(fixtureSpec(grid), plan)).rejects.toMatchObject({ code: 'STORE_LOST' });
    server = await start();
    await Promise.all(attempts);
    expect(await insist(() => store.finishSweep(plan.sweep, null))).toBe('done');
    expect(await store.status(plan.sweep)).toMatchObject({ cells: { total: 36, measured: 36, planned: 0 }, shards: { done: 4 } });
    for (const cell of (await store.rows(plan.sweep)).cells.filter(isNeedleRow)) {
      expect(fixtureResult(cell.key, cell.contextTokens)).toMatchObject({ needle: cell.needle });
    }
  });

  it('at an address where nobody listens does not open', async () => {
    await expect(openStore('postgresql://nobody@127.0.0.1:1/none')).rejects.toMatchObject({ code: 'STORE_LOST' });
  });

  it('is not what a wrong database name is taken for', async () => {
    const url = new URL(server.url);
    url.pathname = '/nosuchdatabase';
    await expect(openStore(url.href)).rejects.toMatchObject({ message: expect.stringContaining('nosuchdatabase') as string });
    await expect(openStore(url.href)).rejects.not.toMatchObject({ code: 'STORE_LOST' });
  });
});
