import { readFile, readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { parse } from 'yaml';
import { generateDashboards } from '../../dashboards/generate.js';
import { BLACK_INK_FROM_RECALL, RECALL_STOPS } from '../../dashboards/recallStyle.js';
import type { Plan } from '../../domain/plan.js';
import { hex, inkOn, recallColour, RECALL_STOPS as REPORT_STOPS } from '../../report/recallColours.js';
import { ensureGrafanaRole } from '../../results/grafanaRole.js';
import { openStore } from '../../results/store.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, runFixture, type FixtureGrid, shardsToStart } from '../stack/seed.js';
import { expand } from './grafanaSql.js';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly datasource: { readonly uid: string };
  readonly fieldConfig: { readonly defaults: { readonly unit?: string } };
  readonly targets: readonly { readonly refId: string; readonly rawSql: string; readonly datasource: { readonly uid: string } }[];
}
interface DashboardJson {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
}

const generated = generateDashboards();
const dashboards = Object.entries(generated).map(([name, text]) => ({ name, json: JSON.parse(text) as DashboardJson }));
const needle = dashboards.find(({ name }) => name.endsWith('/needle.json'))?.json;

describe('dashboards as code', () => {
  it('are committed as they are generated (npm run generate writes them)', async () => {
    for (const [path, text] of Object.entries(generated)) expect(await readFile(path, 'utf8')).toBe(text);
    expect((await readdir('dashboards/generated')).map((name) => `dashboards/generated/${name}`).sort()).toEqual(Object.keys(generated).sort());
  });

  it('have one uid each, unique panel ids, and a title, description, unit and data source on every panel', () => {
    expect(new Set(dashboards.map(({ json }) => json.uid)).size).toBe(dashboards.length);
    for (const { json } of dashboards) {
      expect(json.schemaVersion).toBe(42);
      expect(new Set(json.panels.map((panel) => panel.id)).size).toBe(json.panels.length);
      for (const panel of json.panels) {
        expect(panel.title).not.toBe('');
        expect(panel.description).not.toBe('');
        expect(panel.fieldConfig.defaults.unit).toBeTruthy();
        expect(panel.datasource.uid).toBe('ropesweep');
        for (const target of panel.targets) expect(target.datasource.uid).toBe('ropesweep');
      }
    }
  });

  it('quote every variable', () => {
    for (const { json } of dashboards) {
      const queries = [...json.panels.flatMap((panel) => panel.targets.map((target) => target.rawSql)), ...json.templating.list.map((one) => one.query)];
      const names = Object.fromEntries(json.templating.list.map((one) => [one.name, `it's`]));
      for (const sql of queries) expect(expand(sql, names)).not.toMatch(/--/);
    }
  });

  it('colour recall as terminal and report do', () => {
    expect(RECALL_STOPS).toEqual(REPORT_STOPS.map(({ colour }) => [colour.red, colour.green, colour.blue]));
    const ink = (recall: number) => hex(inkOn(recallColour(recall)));
    expect([ink(BLACK_INK_FROM_RECALL - 0.01), ink(BLACK_INK_FROM_RECALL)]).toEqual(['#ffffff', '#000000']);
  });

  it('are provisioned with the data source they name', async () => {
    const source = parse(await readFile('infra/provisioning/grafana/datasources/ropesweep.yaml', 'utf8')) as { datasources: { uid: string; type: string }[] };
    expect(source.datasources).toMatchObject([{ uid: 'ropesweep', type: 'grafana-postgresql-datasource' }]);
    const provider = parse(await readFile('infra/provisioning/grafana/dashboards/ropesweep.yaml', 'utf8')) as { providers: { type: string }[] };
    expect(provider.providers).toMatchObject([{ type: 'file' }]);
  });
});

describe('queries of the needle dashboard, as the read-only login', () => {
  const grid: FixtureGrid = {
    name: 'shown',
    methods: [{ name: 'none' }, { name: 'yarn', factor: 4, betaFast: 32, betaSlow: 1, truncate: true }],
    continued: [null, 512],
    contextTokens: [128, 256, 512, 1024, 2048],
    depths: [0, 0.5, 1],
    seeds: [1, 2],
  };
  const role = { name: `grafana_${process.pid}_${Date.now()}`, password: `quo'te` };
  let database: TestDatabase;
  let empty: TestDatabase;
  let reader: pg.Client;
  let emptyReader: pg.Client;
  const plan: Plan = fixturePlan(grid);

  async function readAs(url: string): Promise<pg.Client> {
    await ensureGrafanaRole(url, role);
    const login = new URL(url);
    login.username = role.name;
    login.password = encodeURIComponent(role.password);
    const client = new pg.Client({ connectionString: login.href });
    await client.connect();
    return client;
  }

  beforeAll(async () => {
    database = await freshDatabase();
    empty = await freshDatabase();
    const store = await openStore(database.url);
    await store.submit(fixtureSpec(grid), plan);
    // One square diverges, one runs out of memory, one stays planned.
    const [shard] = await shardsToStart(store, plan.sweep, 1, []);
    const held = shard && (await store.lease(shard, FIXTURE_PLACE));
    const [diverged, infeasible] = held?.job.cells ?? [];
    if (!held || !diverged || !infeasible) throw new Error('nothing was leased');
    await store.record(held.lease, FIXTURE_PLACE, [
      { key: diverged.key, state: 'diverged', seconds: 1, tokenDigest: 'tokens' },
      { key: infeasible.key, state: 'infeasible', code: 'OUT_OF_MEMORY', reason: 'too big' },
      ...held.job.cells.slice(2).map((cell) => fixtureResult(cell.key, cell.contextTokens)),
    ]);
    await store.finishShard(held.lease, null, null);
    await runFixture(store, plan.sweep);
    await store.registerWorker({ id: 'w', host: 'h', pid: 1, processStarted: '', deviceClass: 'cpu', slots: 1, fingerprint: 'f', selfTest: 'passed', queue: 'q', memoryBytes: 2 ** 34, version: '0.1.0' });
    await store.close();
    reader = await readAs(database.url);
    emptyReader = await readAs(empty.url);
  });
  afterAll(async () => {
    await reader.end();
    await emptyReader.end();
    await database.drop();
    // The login holds rights in both databases: it can go when the second is the last.
    const last = new pg.Client({ connectionString: empty.url });
    await last.connect();
    await last.query(`DROP OWNED BY ${role.name}`);
    await last.query(`DROP ROLE ${role.name}`);
    await last.end();
    await empty.drop();
  });

  const panel = (title: RegExp): Panel => {
    const found = needle?.panels.find((one) => title.test(one.title));
    if (found === undefined) throw new Error(`no panel ${String(title)}`);
    return found;
  };
  const values = { sweep: 'shown', task: '0', arm: plan.arms[0]?.id ?? '' };
  const run = async (client: pg.Client, rawSql: string, variables: Record<string, string | string[]> = values) =>
    (await client.query<Record<string, unknown>>(expand(rawSql, variables))).rows;

  it('all run, on a store with results and on an empty one', async () => {
    for (const { rawSql } of needle?.panels.flatMap((one) => one.targets) ?? []) {
      expect((await run(reader, rawSql)).length).toBeGreaterThan(0);
      expect(await run(emptyReader, rawSql, { sweep: '', task: '', arm: [] })).toEqual([]);
    }
    for (const { query } of needle?.templating.list ?? []) {
      expect((await run(reader, query)).length).toBeGreaterThan(0);
      expect(await run(emptyReader, query, { sweep: '', task: '', arm: [] })).toEqual([]);
    }
  });

  it('survive values with quotes in them', async () => {
    for (const { rawSql } of panel(/recall/).targets) {
      expect(await run(reader, rawSql, { sweep: `x' OR '1'='1`, task: `0`, arm: [`a'b`, 'c'] })).toEqual([]);
    }
  });

  it('give the heat map a text and a style for every square, in the order of lengths and depths', async () => {
    const [text, style] = panel(/recall/).targets;
    if (text === undefined || style === undefined) throw new Error('the panel has two queries');
    // The arm that is continued at 512, with L0 = 256.
    const arm = plan.arms[1];
    const texts = await run(reader, text.rawSql, { ...values, arm: arm?.id ?? '' });
    const styles = await run(reader, style.rawSql, { ...values, arm: arm?.id ?? '' });
    expect(texts.slice(0, 6).map((row) => row['value'])).toEqual(['depth %', '128', '256', '512', '1k', '2k']);
    expect(texts.filter((row) => row['name'] === 'v00').map((row) => row['value'])).toEqual(['depth %', '0', '50', '100']);
    expect(texts).toHaveLength(4 * 6);
    expect(styles).toHaveLength(4 * 5);
    const at = (line: number, name: string) => {
      const row = styles.find((one) => Number(one['line']) === line && one['name'] === name);
      return JSON.parse(String(row?.['value'])) as Record<string, string>;
    };
    // Dotted where the trained context ends (right of 256), dashed where the continued one does (right of 512).
    for (const line of [0, 1, 2, 3]) {
      expect(at(line, 's03')['borderLeft']).toMatch(/^2px dotted #/);
      expect(at(line, 's04')['borderLeft']).toMatch(/^2px dashed #/);
      expect([at(line, 's02')['borderLeft'], at(line, 's05')['borderLeft']]).toEqual([undefined, undefined]);
    }
    const [square] = await run(
      reader,
      'SELECT recall, entropy, entropy_is_first FROM reporting.needle_heatmap WHERE sweep = ${sweep:sqlstring} AND arm_id = ${arm:sqlstring} AND context_tokens = 128 AND depth = 0.5',
      { ...values, arm: arm?.id ?? '' },
    );
    const shown = String(texts.find((row) => Number(row['line']) === 2 && row['name'] === 'v01')?.['value']);
    expect(shown).toBe(Number(square?.['entropy']).toFixed(2) + (square?.['entropy_is_first'] === true ? '~' : ''));
    const colour = recallColour(Number(square?.['recall']));
    expect(at(2, 's01')).toMatchObject({ background: `rgb(${[colour.red, colour.green, colour.blue].join(', ')})`, color: hex(inkOn(colour)) });
  });

  it('mark squares without all their numbers', async () => {
    const [text] = panel(/recall/).targets;
    const held = plan.arms[0];
    const texts = (await run(reader, text?.rawSql ?? '', { ...values, arm: held?.id ?? '' })).map((row) => String(row['value']));
    // Two seeds: one diverged and one ran out of memory at depth 0 of the longest context.
    expect(texts).toContain('div');
  });

  it('reach every arm with n and a Wilson interval', async () => {
    const rows = await run(reader, panel(/Reach/).targets[0]?.rawSql ?? '');
    expect(rows.map((row) => row['Arm'])).toEqual(plan.arms.map((arm) => arm.label));
    const reached = rows.find((row) => row['Reach'] !== null && Number(row['Recall there']) === 1);
    // 6 of 6: low = n / (n + z^2) = 0.6097.
    expect(Number(reached?.['n'])).toBe(6);
    expect(Number(reached?.['Recall, low'])).toBeCloseTo(6 / (6 + 1.959964 ** 2), 12);
    expect(Number(reached?.['Recall, high'])).toBeCloseTo(1, 12);
  });

  it('is all the login can do: every view, no table, no write, no temporary table, not for long', async () => {
    const views = await reader.query<{ name: string }>(`SELECT table_name AS name FROM information_schema.views WHERE table_schema = 'reporting' ORDER BY 1`);
    // The store of this test has needle tasks only.
    const empty = ['attention', 'attention_divergences', 'perplexity'];
    expect(views.rows.map((row) => row.name)).toEqual(['arms', 'attempts', 'needle_cells', 'needle_heatmap', 'outcomes', 'shards', 'sweeps', 'workers', ...empty].sort());
    for (const { name } of views.rows) {
      const { rowCount } = await reader.query(`SELECT * FROM reporting.${name}`);
      if (empty.includes(name)) expect(rowCount).toBe(0);
      else expect(rowCount).toBeGreaterThan(0);
    }
    const comments = await reader.query(`SELECT obj_description(oid) AS text FROM pg_class WHERE relnamespace = 'reporting'::regnamespace AND relkind = 'v'`);
    expect(comments.rows.every((row: { text: string | null }) => row.text !== null)).toBe(true);
    await expect(reader.query('SELECT * FROM public.measurements')).rejects.toThrow('permission denied');
    await expect(reader.query(`SELECT public.grant_reporting('postgres')`)).rejects.toThrow('permission denied');
    await expect(reader.query(`UPDATE reporting.workers SET host = 'x'`)).rejects.toThrow(/read-only|permission denied/);
    // The settings can be changed by whoever is logged in; the privileges cannot.
    await reader.query('SET default_transaction_read_only = off');
    await expect(reader.query(`UPDATE reporting.workers SET host = 'x'`)).rejects.toThrow('permission denied');
    await expect(reader.query('CREATE TEMP TABLE t (a int)')).rejects.toThrow('permission denied');
    await expect(reader.query('CREATE TABLE public.t (a int)')).rejects.toThrow('permission denied');
    await reader.query('SET default_transaction_read_only = on');
    const { rows } = await reader.query<{ statement_timeout: string }>('SHOW statement_timeout');
    expect(rows[0]?.statement_timeout).toBe('30s');
  });

  it('needs the new password once the login is made again', async () => {
    await ensureGrafanaRole(database.url, { ...role, password: 'new' });
    const old = new URL(database.url);
    old.username = role.name;
    old.password = encodeURIComponent(role.password);
    const client = new pg.Client({ connectionString: old.href });
    await expect(client.connect()).rejects.toThrow('password authentication failed');
  });
});
