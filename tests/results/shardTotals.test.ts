import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { id, type ShardId, type SweepId } from '../../domain/ids.js';
import type { LeasedShard } from '../../domain/ports.js';
import { SHARD_STATES } from '../../domain/states.js';
import type { PrismaStore } from '../../results/store.js';
import type { TestDatabase } from '../stack/postgres.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, runFixture, shardsToStart, type FixtureGrid } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

const SWEEP = id<SweepId>('totals');
const GRID: FixtureGrid = { name: SWEEP, methods: [{ name: 'none' }, { name: 'pi', factor: 4 }], contextTokens: [128, 512, 1024], depths: [0, 0.5], seeds: [1, 2] };
const submit = (grid: FixtureGrid) => store.submit(fixtureSpec(grid), fixturePlan(grid));

async function query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return client.query<Row>(sql).then(({ rows }) => rows).finally(() => client.end());
}

/** The dearest shard that nobody holds. */
async function leaseNext(): Promise<LeasedShard> {
  const [shard] = await shardsToStart(store, SWEEP, 1, held);
  const leased = shard === undefined ? null : await store.lease(shard, FIXTURE_PLACE);
  if (leased === null) throw new Error('nothing was leased');
  held.push(leased.lease.shard);
  return leased;
}
const held: ShardId[] = [];

const STATS = { promptTokens: 10, distinctTokens: 8, computedTokens: 9, completionTokens: 0, loadSeconds: 0.1, runSeconds: 0.5 };

/** What is told of every sweep, beside what reading all shards gives. */
async function expectTotals(): Promise<void> {
  for (const { sweep, shards, loads, runningCells, openClasses } of await store.sweeps()) {
    const count = async (sql: string): Promise<number> => Number((await query<{ n: string | null }>(`SELECT ${sql} AS n FROM shards h WHERE sweep_id = '${sweep}'`))[0]?.n ?? 0);
    for (const state of SHARD_STATES) expect(shards[state], state).toBe(await count(`count(*) FILTER (WHERE state = '${state}')`));
    expect(loads).toBe(await count('sum(loads)'));
    expect(runningCells).toBe(await count(`sum((SELECT count(*) FROM memberships WHERE shard_id = h.id AND state = 'planned')) FILTER (WHERE state = 'leased')`));
    expect(openClasses.length > 0).toBe((await count(`count(*) FILTER (WHERE state IN ('planned', 'leased'))`)) > 0);
    const work = (await store.live(sweep)).detail?.work;
    const counted = `FILTER (WHERE state <> 'superseded')`;
    expect(work).toMatchObject({ shards, flops: await count(`sum(cost_flops) ${counted}`), tokens: await count(`sum(cost_prompt_tokens) ${counted}`), recoveries: await count('sum(greatest(attempts - 1, 0))') });
    expect(work?.longestFlops).toBeGreaterThanOrEqual(await count(`coalesce(max(cost_flops) FILTER (WHERE state = 'planned'), 0)`));
  }
}

describe('what is told of shards without reading them', () => {
  afterEach(expectTotals);

  it('holds for a sweep that was just submitted', async () => {
    await submit(GRID);
  });

  it('holds while shards are leased, handed back and leased again', async () => {
    const first = await leaseNext();
    await leaseNext();
    await expectTotals();
    await store.finishShard(first.lease, STATS, { code: 'SLOT_CRASHED', reason: 'it died' });
    await expectTotals();
    held.splice(0, 1);
    expect((await leaseNext()).attempt).toBe(2);
  });

  it('holds when shards are done, given up and cut in two', async () => {
    const [second, first] = held;
    const done = await leaseNext();
    await store.record(done.lease, FIXTURE_PLACE, done.job.cells.map(({ key, contextTokens }) => fixtureResult(key, contextTokens)));
    await store.finishShard(done.lease, STATS, null);
    if (first === undefined || second === undefined) throw new Error('two are held');
    await store.failShard(first, 'SLOT_CRASHED', 'it died again', 2);
    expect(await store.splitShard(second, 2)).toBe(2);
    expect((await store.status(SWEEP))?.shards).toMatchObject({ done: 1, failed: 1, superseded: 1 });
  });

  it('holds when cells are tried again', async () => {
    const failed = await store.outcomes(SWEEP);
    expect(await store.retryCells(SWEEP, failed.map(({ key }) => key))).toBeGreaterThan(0);
  });

  it('holds when a smaller and then a larger plan replace the open shards', async () => {
    await submit({ ...GRID, contextTokens: [128] });
    await expectTotals();
    await submit({ ...GRID, contextTokens: [128, 256, 512, 1024], seeds: [1, 2, 3] });
    expect((await store.status(SWEEP))?.shards.superseded).toBeGreaterThan(1);
  });

  it('holds for a sweep that is done, whose work is done to the last bit', async () => {
    held.splice(0);
    await runFixture(store, SWEEP);
    const work = (await store.live(SWEEP)).detail?.work;
    expect(work?.doneFlops).toBe(work?.flops);
    expect(work?.doneTokens).toBe(work?.tokens);
  });

  it('holds when superseded shards are pruned', async () => {
    await store.prune();
    expect((await store.status(SWEEP))?.shards.superseded).toBe(0);
  });

  it('goes with the sweep', async () => {
    await store.deleteSweep(SWEEP);
    expect(await query('SELECT * FROM shard_totals')).toEqual([]);
  });
});
