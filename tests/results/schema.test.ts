import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import pg from 'pg';
import { CELL_ORIGINS, CELL_STATES, MEASUREMENT_STATES, OUTCOME_STATES, SHARD_STATES, SWEEP_STATES } from '../../domain/states.js';
import { TASK_KINDS } from '../../domain/task.js';
import { migrate, readSchema } from '../../results/migrate.js';
import { withSchemaEngine } from '../../results/schemaEngine.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** An empty database: not a clone of the migrated one. */
async function scratchDatabase(): Promise<TestDatabase> {
  const name = `scratch_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(inject('postgresUrl'));
  await query(url.href, `CREATE DATABASE ${name}`);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      await query(inject('postgresUrl'), `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** One line for each column, constraint and index of the public schema; what Prisma does not model is left out. */
async function catalog(url: string): Promise<string[]> {
  const rows = await query<{ line: string }>(
    url,
    `SELECT format('column %s.%s %s null=%s default=%s', table_name, column_name, udt_name, is_nullable, column_default) AS line
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'
     UNION ALL
     SELECT format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> '_prisma_migrations'
     UNION ALL
     SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'
     ORDER BY line`,
  );
  return rows.map((row) => row.line);
}

describe('the schema and its migrations', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());

  it('agree: the migrated database has the tables, columns, indexes and keys that schema.prisma describes, and no others', async () => {
    const wanted = await scratchDatabase();
    try {
      const schema = await readSchema();
      const { stdout } = await withSchemaEngine(wanted.url, schema, (engine) =>
        engine.diff({
          from: { tag: 'empty' },
          to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: schema }] },
          script: true,
          exitCode: null,
          filters: { externalTables: [], externalEnums: [] },
        }),
      );
      await query(wanted.url, stdout ?? '');
      expect(await catalog(database.url)).toEqual(await catalog(wanted.url));
    } finally {
      await wanted.drop();
    }
  });

  it('have a comment on every model and enum', async () => {
    const lines = (await readSchema()).split('\n');
    const bare = lines.filter((line, index) => /^(model|enum) /.test(line) && !lines[index - 1]?.startsWith('/// '));
    expect(bare).toEqual([]);
  });

  it('name every state that the domain knows, in its order', async () => {
    const rows = await query<{ name: string; states: string[] }>(
      database.url,
      `SELECT t.typname AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS states
       FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname`,
    );
    const states = Object.fromEntries(rows.map((row) => [row.name, row.states]));
    expect(states).toMatchObject({
      cell_state: CELL_STATES,
      cell_origin: CELL_ORIGINS,
      measurement_state: MEASUREMENT_STATES,
      outcome_state: OUTCOME_STATES,
      shard_state: SHARD_STATES,
      sweep_state: SWEEP_STATES,
      task_kind: TASK_KINDS,
    });
  });
});

describe('migrate', () => {
  it('applies every migration once when two processes call it at the same time, and nothing after that', async () => {
    const scratch = await scratchDatabase();
    try {
      const applied = await Promise.all([migrate(scratch.url), migrate(scratch.url)]);
      const folders = (await readdir('prisma/migrations')).filter((entry) => /^\d{14}_/.test(entry)).sort();
      expect(applied.flat().sort()).toEqual(folders);
      expect(await migrate(scratch.url)).toEqual([]);
    } finally {
      await scratch.drop();
    }
  });

  it('says STORE_LOST where no server answers', async () => {
    await expect(migrate('postgresql://nobody@127.0.0.1:1/none')).rejects.toMatchObject({ code: 'STORE_LOST' });
  });
});
