import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { postgresFrame } from './postgresFrames.js';

describe('results as the PostgreSQL data source of Grafana hands them over', () => {
  let database: TestDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    database = await freshDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });
  const frame = async (text: string, format = 'table') => postgresFrame('A', format, await client.query<unknown[]>({ text, rowMode: 'array' }));

  it('are a field a column, typed by the column, with nulls', async () => {
    const { fields } = await frame(`SELECT 1::int AS a, 2::bigint AS b, 0.5::numeric AS c, 'x' AS d, true AS e, '2026-01-01Z'::timestamptz AS f, NULL::float8 AS g`);
    expect(fields).toEqual([
      { name: 'a', type: 'number', values: [1] },
      { name: 'b', type: 'number', values: [2] },
      { name: 'c', type: 'number', values: [0.5] },
      { name: 'd', type: 'string', values: ['x'] },
      { name: 'e', type: 'boolean', values: [true] },
      { name: 'f', type: 'time', values: [Date.UTC(2026, 0, 1)] },
      { name: 'g', type: 'number', values: [null] },
    ]);
  });

  it('have no field where there is no row', async () => {
    expect((await frame('SELECT 1 AS a WHERE false')).fields).toEqual([]);
  });

  it('are wide as a time series: a field a metric, nulls where a metric has no value', async () => {
    const { fields } = await frame(`SELECT * FROM (VALUES (60, '02 b', 1.0), (60, '01 a', 2.0), (120, '01 a', 3.0)) AS rows(time, metric, value)`, 'time_series');
    expect(fields).toEqual([
      { name: 'Time', type: 'time', values: [60_000, 120_000] },
      { name: '01 a', type: 'number', values: [2, 3] },
      { name: '02 b', type: 'number', values: [1, null] },
    ]);
  });

  it.each([
    ['is out of order', `VALUES (120, 'a', 1.0), (60, 'a', 2.0)`, /not in the order of its times/],
    ['has a time that is null', `VALUES (60, 'a', 1.0), (NULL::int, 'a', 2.0)`, /a time of the time series is null/],
  ])('are refused where a time series %s, as Grafana refuses them', async (_what, rows, message) => {
    await expect(frame(`SELECT * FROM (${rows}) AS rows(time, metric, value)`, 'time_series')).rejects.toThrow(message);
  });
});
