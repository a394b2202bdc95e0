import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureGrafanaRole } from '../../results/grafanaRole.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { dropRole, readAs } from './reader.js';
import { fillTaskStore } from './taskStore.js';

describe('the login of Grafana', () => {
  const role = { name: `grafana_${process.pid}_${Date.now()}`, password: `quo'te` };
  let database: TestDatabase;
  let reader: pg.Client;
  beforeAll(async () => {
    database = await freshDatabase();
    await fillTaskStore(database.url);
    reader = await readAs(database.url, role);
  });
  afterAll(async () => {
    await reader.end();
    await dropRole([database.url], role);
    await database.drop();
  });

  it('reads every view, and can do nothing else: no table, no function, no write, no other schema, no temporary table, not for long', async () => {
    const views = await reader.query<{ name: string }>(`SELECT table_name AS name FROM information_schema.views WHERE table_schema = 'reporting' ORDER BY 1`);
        expect(views.rows.length).toBeGreaterThan(15);
    for (const { name } of views.rows) {
      const { rowCount } = await reader.query(`SELECT * FROM reporting.${name}`);
      expect(rowCount, name).toBeGreaterThan(0);
    }
    const comments = await reader.query(`SELECT obj_description(oid) AS text FROM pg_class WHERE relnamespace = 'reporting'::regnamespace AND relkind = 'v'`);
    expect(comments.rows.every((row: { text: string | null }) => row.text !== null)).toBe(true);
    await expect(reader.query('SELECT * FROM public.measurements')).rejects.toThrow('permission denied');
    await expect(reader.query(`SELECT public.grant_reporting('postgres')`)).rejects.toThrow('permission denied');
    const tables = await reader.query<{ name: string }>(`SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`);
    expect(tables.rows.length).toBeGreaterThan(15);
    for (const { name } of tables.rows) await expect(reader.query(`SELECT * FROM ${name}`), name).rejects.toThrow('permission denied');
    await expect(reader.query('SELECT * FROM pg_authid')).rejects.toThrow('permission denied');
    await expect(reader.query(`UPDATE reporting.progress_minutes SET cells = 0`)).rejects.toThrow(/read-only|permission denied/);
    // The settings can be changed by whoever is logged in; the privileges cannot.
    await reader.query('SET default_transaction_read_only = off');
    await expect(reader.query(`UPDATE reporting.progress_minutes SET cells = 0`)).rejects.toThrow('permission denied');
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
