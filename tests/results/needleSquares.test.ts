import pg from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { scoreNeedle } from '../../domain/scoring.js';
import { id, type SweepId } from '../../domain/ids.js';
import { rescore } from '../../results/rescoring.js';
import { Database } from '../../results/database.js';
import type { PrismaStore } from '../../results/store.js';
import type { TestDatabase } from '../stack/postgres.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, runFixture, shardsToStart, type FixtureGrid } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

const grid = (name: string, seeds: readonly number[]): FixtureGrid => ({
  name,
  methods: [{ name: 'none' }, { name: 'pi', factor: 2 }],
  contextTokens: [128, 512, 2048],
  depths: [0, 1],
  seeds,
});

async function query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  return client.query<Row>(sql).then(({ rows }) => rows).finally(() => client.end());
}

/** Squares as they are kept, less squares as counting all cells gives them, and the other way round. */
const differences = (): Promise<pg.QueryResultRow[]> => query(`
  WITH kept AS (SELECT * FROM needle_squares), counted AS (
    SELECT m.sweep_id, m.arm_id, m.task, m.context_tokens, m.depth,
           count(*) FILTER (WHERE m.state = 'planned')::int, count(*) FILTER (WHERE m.state = 'measured')::int, count(*) FILTER (WHERE m.state = 'diverged')::int,
           count(*) FILTER (WHERE m.state = 'infeasible')::int, count(*) FILTER (WHERE m.state = 'failed')::int,
           coalesce(sum(n.exact_match::int), 0)::int, count(*) FILTER (WHERE n.string_recall = 1)::int, count(n.entropy)::int,
           coalesce(sum(n.token_recall::numeric), 0)::decimal(65,30), coalesce(sum(n.string_recall::numeric), 0)::decimal(65,30),
           coalesce(sum(n.entropy::numeric), 0)::decimal(65,30), coalesce(sum(n.entropy_first::numeric), 0)::decimal(65,30),
           coalesce(sum(n.entropy_first::numeric) FILTER (WHERE n.exact_match), 0)::decimal(65,30),
           coalesce(sum(n.entropy_first::numeric) FILTER (WHERE n.string_recall = 1), 0)::decimal(65,30),
           coalesce(sum((n.sum_nll / n.token_count)::numeric), 0)::decimal(65,30), coalesce(sum(n.needle_mass::numeric), 0)::decimal(65,30)
    FROM memberships m LEFT JOIN needle_results n ON n.cell_key = m.cell_key AND m.state = 'measured'
    WHERE m.task_kind = 'needle' AND m.origin = 'grid' GROUP BY 1, 2, 3, 4, 5
  ) (SELECT 'kept' AS side, * FROM (TABLE kept EXCEPT TABLE counted) AS k) UNION ALL (SELECT 'counted', * FROM (TABLE counted EXCEPT TABLE kept) AS c)`);

const squares = async (sweep: string): Promise<number> => Number((await query<{ n: string }>(`SELECT count(*) AS n FROM needle_squares WHERE sweep_id = '${sweep}'`))[0]?.n);

describe('squares of the heat maps', () => {
  beforeAll(async () => {
    await store.submit(fixtureSpec(grid('first', [1, 2])), fixturePlan(grid('first', [1, 2])));
  });

  it('are there as soon as cells are planned', async () => {
    expect(await squares('first')).toBe(2 * 3 * 2);
    expect(await differences()).toEqual([]);
  });

  it('follow every end of a cell: measured, diverged, out of memory, quarantined', async () => {
    const [shard, next] = await shardsToStart(store, id<SweepId>('first'), 2, []);
    const held = shard === undefined ? null : await store.lease(shard, FIXTURE_PLACE);
    const [diverged, infeasible] = held?.job.cells ?? [];
    if (held === null || diverged === undefined || infeasible === undefined || next === undefined) throw new Error('nothing was leased');
    await store.record(held.lease, FIXTURE_PLACE, [
      { key: diverged.key, state: 'diverged', seconds: 1, tokenDigest: 'tokens' },
      { key: infeasible.key, state: 'infeasible', code: 'OUT_OF_MEMORY', reason: 'too big' },
      ...held.job.cells.slice(2).map((cell) => fixtureResult(cell.key, cell.contextTokens)),
    ]);
    await store.finishShard(held.lease, null, null);
    await store.failShard(next, 'SLOT_CRASHED', 'it crashed', 3);
    expect(await differences()).toEqual([]);
    await runFixture(store, id<SweepId>('first'));
    expect(await differences()).toEqual([]);
  });

  it('count what another sweep has measured, once a sweep, and nothing twice where two workers record the same cells', async () => {
    const wider = grid('second', [1, 2, 3]);
    const plan = fixturePlan(wider);
    await store.submit(fixtureSpec(wider), plan);
    expect(await differences()).toEqual([]);
    // Two shards of two sweeps with the same cells, recorded at the same time.
    const twin = { ...grid('third', [3]) };
    await store.submit(fixtureSpec(twin), fixturePlan(twin));
    await Promise.all([runFixture(store, plan.sweep), runFixture(store, id<SweepId>('third'))]);
    expect(await differences()).toEqual([]);
  });

  it('follow many writers at once', async () => {
    const many = grid('many', [11, 12, 13, 14]);
    const plan = fixturePlan(many);
    await store.submit(fixtureSpec(many), plan);
    const shards = await shardsToStart(store, plan.sweep, 6, []);
    await Promise.all(shards.map(async (shard) => {
      const held = await store.lease(shard, FIXTURE_PLACE);
      if (held === null) throw new Error('nothing was leased');
      for (const cell of held.job.cells) await store.record(held.lease, FIXTURE_PLACE, [fixtureResult(cell.key, cell.contextTokens)]);
      await store.finishShard(held.lease, null, null);
    }));
    expect(await differences()).toEqual([]);
  });

  it('follow cells that are planned again, and cells that leave the sweep', async () => {
    const { rows } = { rows: await query<{ key: string }>("SELECT cell_key AS key FROM memberships WHERE sweep_id = 'first' AND state IN ('failed', 'infeasible')") };
    expect(rows.length).toBeGreaterThan(0);
    await store.retryCells(id<SweepId>('first'), rows.map(({ key }) => id(key)));
    expect(await differences()).toEqual([]);
    const smaller = { ...grid('first', [1, 2]), contextTokens: [128, 512] };
    await store.submit(fixtureSpec(smaller), fixturePlan(smaller));
    expect(await differences()).toEqual([]);
  });

  it('follow rows that are scored again', async () => {
    const scorer = new Database(database.url);
    try {
      // A scorer to which everything that passed fails.
      expect(await rescore(scorer, 1_000, (raw) => ({ ...scoreNeedle(raw), exactMatch: false, tokenRecall: 0.5 }))).toBeGreaterThan(0);
      expect((await query<{ n: string }>('SELECT sum(exact_matches) AS n FROM needle_squares'))[0]?.n).toBe('0');
      expect(await differences()).toEqual([]);
    } finally {
      await scorer.close();
    }
  });

  it('go with their sweep, and those of the others stay', async () => {
    await store.finishSweep(id<SweepId>('second'), 'cancelled');
    await store.deleteSweep(id<SweepId>('second'));
    expect(await squares('second')).toBe(0);
    expect(await squares('many')).toBe(2 * 3 * 2);
    expect(await differences()).toEqual([]);
  });
});
