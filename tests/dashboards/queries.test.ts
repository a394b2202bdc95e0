import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALERTS } from '../../dashboards/alerts.js';
import { eta } from '../../cli/live/rates.js';
import type { Plan } from '../../domain/plan.js';
import { openStore } from '../../results/store.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { expand } from './grafanaSql.js';
import { CELLS_A_SEED, fillLargeStore, LARGE_SWEEP } from './largeStore.js';
import { allQueries, chooseValues, generatedDashboards, lastDay, time, type Query } from './proof.js';
import { dropRole, readAs } from './reader.js';
import { asOwner, fillTaskStore, fixtureAttention, LOSSES } from './taskStore.js';

const role = { name: `queries_${process.pid}_${Date.now()}`, password: 'read' };
let empty: TestDatabase;
let small: TestDatabase;
let emptyReader: pg.Client;
let reader: pg.Client;
let plan: Plan;

beforeAll(async () => {
  [empty, small] = [await freshDatabase(), await freshDatabase()];
  plan = await fillTaskStore(small.url);
  [emptyReader, reader] = [await readAs(empty.url, role), await readAs(small.url, role)];
});
afterAll(async () => {
  await emptyReader.end();
  await reader.end();
  await dropRole([empty.url, small.url], role);
  await empty.drop();
  await small.drop();
});

/** @param name `perplexity 1` */
async function rowsOf(name: string, chosen: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>[]> {
  const queries = await allQueries(reader, lastDay(new Date(Date.now() + 1000)), { sweep: 'shown', ...chosen });
  const query = queries.find((one) => one.name.startsWith(`ropesweep-${name}A`));
  if (query === undefined) throw new Error(`there is no panel ${name}`);
  return (await reader.query<Record<string, unknown>>(query.sql)).rows;
}

/** Columns that Grafana needs for the format. */
async function check(client: pg.Client, { name, format, sql }: Query): Promise<number> {
  const { fields, rows } = await client.query<Record<string, unknown>>(sql);
  if (format === 'time_series') {
    expect(fields.map((field) => field.name), name).toEqual(['time', 'metric', 'value']);
    // Numbered, so that each has a colour; and by time, or Grafana refuses to make them wide.
    for (const { metric } of rows) expect(metric, name).toMatch(/^\d\d /);
    const times = rows.map((row) => Number(row['time']));
    expect(times, name).toEqual([...times].sort((a, b) => a - b));
  }
  return rows.length;
}

/** What a small store has nothing of, and says so. */
const NOTHING = ['ropesweep-overview 7A'];

describe('every query of every dashboard and alert, as the read-only login', () => {
  it('runs on an empty store and gives nothing, or a row of figures', async () => {
    const figures = ['ropesweep-fleet 1A', 'ropesweep-fleet 10A'];
    for (const query of await allQueries(emptyReader, lastDay())) {
      const rows = await check(emptyReader, query);
      expect(rows, query.name).toBe(figures.some((name) => query.name.startsWith(name)) ? 1 : 0);
    }
  });

  it('runs on a small store with every task and every state, and gives rows', async () => {
    for (const query of await allQueries(reader, lastDay(new Date(Date.now() + 1000)), { sweep: 'shown' })) {
      const rows = await check(reader, query);
      if (NOTHING.some((name) => query.name.startsWith(name)) || query.name === 'alert disk') continue;
      expect(rows, query.name).toBeGreaterThan(0);
    }
    expect(await rowsOf('overview 7', { sweep: 'running' })).toMatchObject([{ Cells: '2', Ended: '1' }]);
  });

  it('survives values with quotes in them', async () => {
    const nasty = `x' OR '1'='1`;
    for (const dashboard of generatedDashboards().values()) {
      const values = Object.fromEntries(dashboard.templating.list.map(({ name, multi }) => [name, multi === true ? [nasty, `a'b`] : nasty]));
      for (const { rawSql } of dashboard.panels.flatMap((panel) => panel.targets)) {
        if (!rawSql.includes(':sqlstring')) continue;
        expect((await reader.query(expand(rawSql, values, lastDay()))).rowCount).toBe(0);
      }
    }
  });

  it('gives every variable a value that the next one and the panels take', async () => {
    for (const dashboard of generatedDashboards().values()) {
      const { values } = await chooseValues(reader, dashboard, { sweep: 'shown' });
      for (const [name, value] of Object.entries(values)) expect(value.length, `${dashboard.uid} ${name}`).toBeGreaterThan(0);
    }
  });
});

describe('figures of the dashboards', () => {
  it('say of a sweep that runs what watch says: work by cost, slots, and when it ends', async () => {
    const store = await openStore(small.url);
    const { sweeps } = await store.live(null).finally(() => store.close());
    const { rows } = await reader.query<Record<string, string | number>>("SELECT * FROM reporting.sweep_work WHERE sweep IN ('running', 'shown') ORDER BY sweep");
    const running = sweeps.find((one) => one.sweep === ('running' as typeof one.sweep))?.work;
    if (running === null || running === undefined) throw new Error('it runs');
    const expected = eta(running, running.shards.leased);
    const [row, done] = rows;
    expect(Number(row?.['flops'])).toBeCloseTo(running.flops, 3);
    expect(Number(row?.['done_flops'])).toBeCloseTo(running.doneFlops, 3);
    expect(Number(row?.['done_share'])).toBeCloseTo(running.doneFlops / running.flops, 9);
    expect(Number(row?.['leased_shards'])).toBe(running.shards.leased);
    expect(Number(row?.['recoveries'])).toBe(running.recoveries);
    expect(Number(row?.['slot_flops_per_second'])).toBeCloseTo(running.speed?.flopsPerSecond ?? NaN, 3);
    expect(Number(row?.['eta_seconds'])).toBeCloseTo(expected?.seconds ?? NaN, 6);
    expect(Number(row?.['earliest_seconds'])).toBeCloseTo(expected?.earliestSeconds ?? NaN, 6);
    expect(Number(row?.['latest_seconds'])).toBeCloseTo(expected?.latestSeconds ?? NaN, 6);
    expect(Number(done?.['done_share'])).toBe(1);
    expect(done?.['eta_seconds']).toBeNull();
  });

  it('count the cells that ended, by the minute', async () => {
    const { rows } = await reader.query<{ cells: string; ended: string }>(
      "SELECT (SELECT sum(cells) FROM reporting.progress_minutes WHERE sweep = s.sweep) AS cells, total_cells - planned_cells AS ended FROM reporting.sweeps s ORDER BY sweep",
    );
    for (const { cells, ended } of rows) expect(Number(cells)).toBe(Number(ended));
  });

  it('derive perplexity of every shown length from sums, to the last digits of a plain sum', async () => {
    const rows = await rowsOf('perplexity 4');
    const [first] = plan.arms;
    const ofArm = rows.filter((row) => row['Arm'] === first?.label);
    expect(ofArm.map((row) => row['Context length'])).toEqual([100, 128, 512]);
    for (const row of ofArm) {
      const counted = LOSSES.slice(0, Number(row['Context length']) - 1);
      expect(Number(row['Tokens'])).toBe(2 * counted.length);
      expect(Number(row['Loss'])).toBeCloseTo(counted.reduce((sum, loss) => sum + loss, 0) / counted.length, 12);
    }
  });

  it('bucket losses by position, doubling from 64', async () => {
    const rows = (await rowsOf('perplexity 2')).filter((row) => String(row['series']).startsWith('01 '));
    expect(rows.map((row) => row['to_tokens'])).toEqual([64, 128, 256, 512]);
    const mean = (from: number, to: number) => LOSSES.slice(from, to).reduce((sum, loss) => sum + loss, 0) / (to - from);
    // Loss t (from 0) has t + 1 tokens before it.
    expect(Number(rows[0]?.['value'])).toBeCloseTo(mean(0, 63), 12);
    expect(Number(rows[2]?.['value'])).toBeCloseTo(mean(127, 255), 12);
  });

  it('show distributions with the envelope of their heads', async () => {
    const rows = await rowsOf('attention 1', { length: '128' });
    const { distributions } = fixtureAttention(128);
    const mean = rows.filter((row) => row['series'] === 'mean');
    expect(mean.map((row) => Number(row['value']))).toEqual(distributions[0]?.mean);
    expect(mean.map((row) => Number(row['key']))).toEqual([0, 0.125, 0.375, 0.625, 0.875]);
    const p90 = rows.find((row) => row['series'] === 'p90');
    // Heads 0.278, 0.378, 0.478, 0.578 of the first bin: rank 2.7 of 0..3.
    expect(Number(p90?.['value'])).toBeCloseTo(0.2 + 10 / 128 + 0.27, 6);
  });

  it('split entropy by pass and fail within a length', async () => {
    const rows = await rowsOf('attention 4');
    const { rows: cells } = await reader.query<{ context_tokens: number; passing: boolean; entropy: number }>(
      "SELECT context_tokens, score = 1 AS passing, avg(entropy_first) AS entropy FROM reporting.needle_cells WHERE sweep = 'shown' AND state = 'measured' GROUP BY 1, 2",
    );
    expect(rows).toHaveLength(cells.length);
    for (const { context_tokens, passing, entropy } of cells) {
      const shown = rows.find((row) => row['context_tokens'] === context_tokens && row['series'] === (passing ? '01 passing' : '02 failing'));
      expect(Number(shown?.['value'])).toBeCloseTo(entropy, 9);
    }
  });

  it('rank retrieval heads by the mean over the cells of the arm', async () => {
    const rows = await rowsOf('attention 5');
    const ofArm = rows.filter((row) => row['Arm'] === plan.arms[0]?.label);
    expect(ofArm).toHaveLength(4);
    const scores = ofArm.map((row) => Number(row['Retrieval score']));
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    for (const score of scores) expect(score).toBeGreaterThan(0.3);
  });

  it('link quarantined cells to their workflow', async () => {
    const rows = await rowsOf('failures 2');
    expect(new Set(rows.map((row) => row['Code']))).toEqual(new Set(['SLOT_CRASHED', 'OUT_OF_MEMORY']));
    for (const row of rows) expect(row['workflow']).toBe(`sweep%2Fshown%2Fshard%2F${String(row['Shard'])}`.slice(0, 'sweep%2Fshown%2Fshard%2F'.length) + String(row['workflow']).slice(-16));
  });
});

describe('alerts', () => {
  const fired = async (name: string): Promise<Record<string, unknown>[]> => {
    const alert = ALERTS.find((one) => one.name === name);
    if (alert === undefined) throw new Error(`there is no alert ${name}`);
    const { rows, fields } = await reader.query<Record<string, unknown>>(alert.sql);
    // One number, which is the last column, and labels that name the row.
    const labels = rows.map((row) => JSON.stringify(fields.slice(0, -1).map((field) => row[field.name])));
    expect(new Set(labels).size).toBe(rows.length);
    return rows.filter((row) => Number(row[fields.at(-1)?.name ?? '']) > alert.limit);
  };

  it('fire for a worker without heartbeats, a backlog without pollers, and nothing else', async () => {
    expect(await fired('worker-lost')).toMatchObject([{ worker: 'silent' }]);
    expect(await fired('backlog-without-workers')).toMatchObject([{ queue: 'ropesweep-evaluate-cpu' }]);
    for (const name of ['sweep-stalled', 'failure-share', 'disk', 'memory']) expect(await fired(name), name).toEqual([]);
  });

  it('fire for a sweep in which nothing ended for long', async () => {
    await asOwner(small.url, "UPDATE sweeps SET updated_at = now() - interval '2 hours' WHERE id = 'running'; UPDATE progress_minutes SET minute = minute - interval '1 hour'");
    expect(await fired('sweep-stalled')).toMatchObject([{ sweep: 'running' }]);
  });

  it('fire for a sweep whose cells fail', async () => {
    await asOwner(small.url, "UPDATE sweep_progress SET failed = failed + 60, measured = measured - 60 WHERE sweep_id = 'running'");
    expect(await fired('failure-share')).toMatchObject([{ sweep: 'running' }]);
  });

  it('fire for attempts that ended for lack of memory', async () => {
    await asOwner(small.url, "UPDATE shard_attempts SET code = 'OUT_OF_MEMORY' WHERE code IS NOT NULL");
    expect(await fired('memory')).toMatchObject([{ worker: 'fixture-worker' }]);
  });

  it('fire for a database beyond its limit, which a new session knows', async () => {
    await asOwner(small.url, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET ropesweep.size_limit = ''1 MB''', current_database()); END $$`);
    await reader.end();
    reader = await readAs(small.url, role);
    expect(await fired('disk')).toMatchObject([{ store: 'store' }]);
  });
});

describe('a store of 50,000 cells', () => {
  const largeRole = { name: `large_${process.pid}_${Date.now()}`, password: 'read' };
  let large: TestDatabase;
  beforeAll(async () => {
    large = await freshDatabase();
  });
  afterAll(() => large.drop());

  it('is read by every query through indexes, and no table with a row a cell is read whole by a heat map, reach or figure', async () => {
    const owner = new pg.Client({ connectionString: large.url });
    await owner.connect();
    await fillLargeStore(owner, 10 * CELLS_A_SEED).finally(() => owner.end());
    const client = await readAs(large.url, largeRole);
    try {
      for (const query of await allQueries(client, lastDay(), { sweep: LARGE_SWEEP }, 1)) {
        const { rows, scans, indexes } = await time(client, query, 1);
        if (/needle \d|overview \d/.test(query.name)) {
          expect(rows, query.name).toBeGreaterThan(0);
          // Of outcomes there are fewer here than a panel reads.
          expect(scans.filter((table) => table !== 'outcomes'), query.name).toEqual([]);
        }
        if (/needle \d/.test(query.name)) expect(indexes, query.name).toContain('needle_squares_pkey');
      }
    } finally {
      await client.end();
      await dropRole([large.url], largeRole);
    }
  }, 300_000);
});
