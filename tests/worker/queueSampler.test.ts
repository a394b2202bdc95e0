import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROL_QUEUE, evaluationQueue } from '../../domain/orchestration.js';
import { openStore, type PrismaStore } from '../../results/store.js';
import { sampleQueues, startQueueSampler } from '../../worker/queueSampler.js';
import { openBench, type Bench } from '../orchestration/bench.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { fixturePlan, fixtureSpec } from '../stack/seed.js';

describe('samples of task queues', () => {
  const grid = { name: 'sampled', contextTokens: [128], depths: [0], seeds: [1] };
  let bench: Bench;
  let database: TestDatabase;
  let store: PrismaStore;
  beforeAll(async () => {
    bench = await openBench();
    database = await freshDatabase();
    store = await openStore(database.url);
  });
  afterAll(async () => {
    await store.close();
    await bench.close();
    await database.drop();
  });

  const rows = async (sql: string): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    return client.query<Record<string, unknown>>(sql).then((result) => result.rows).finally(() => client.end());
  };

  it('tell of tasks that wait, how long, and that nobody polls', async () => {
    for (const sweep of ['one', 'two', 'three']) {
      await bench.client.workflow.start('sweepWorkflow', { workflowId: `sweep/${sweep}`, taskQueue: CONTROL_QUEUE, args: [{ sweep, reconcileSeconds: 30 }] });
    }
    // Temporal counts within a few seconds.
    let control;
    for (let look = 0; look < 60 && control?.backlog !== 3; look += 1) {
      await sleep(500);
      [control] = await sampleQueues(bench.client.connection, 'default', ['cpu']);
    }
    expect(control).toMatchObject({ queue: CONTROL_QUEUE, kind: 'workflow', backlog: 3, pollers: 0 });
    expect(control?.backlogAgeSeconds).toBeGreaterThan(0);
  });

  it('are written for the queues of the sweeps that run, and old ones go', async () => {
    await store.submit(fixtureSpec(grid), fixturePlan(grid));
    await rows("INSERT INTO queue_samples (queue, kind, sampled_at, backlog, backlog_age_seconds, added_per_second, dispatched_per_second, pollers) VALUES ('old', 'activity', now() - interval '8 days', 0, 0, 0, 0, 0)");
    const sampler = startQueueSampler(store, bench.client.connection, 'default', 60_000);
    let written: Record<string, unknown>[] = [];
    for (let look = 0; look < 100 && written.length < 4; look += 1) {
      await sleep(100);
      written = await rows('SELECT queue, kind FROM queue_samples ORDER BY queue, kind DESC');
      if (written.some((row) => row['queue'] === 'old')) written = [];
      if (written.length === 3) break;
    }
    sampler.stop();
    expect(written).toEqual([
      { queue: CONTROL_QUEUE, kind: 'workflow' },
      { queue: CONTROL_QUEUE, kind: 'activity' },
      { queue: evaluationQueue('cpu'), kind: 'activity' },
    ]);
  });
});
