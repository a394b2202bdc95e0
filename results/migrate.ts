/**
 * Applies prisma/migrations without the Prisma CLI, which would download its engine.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { messageOf, RopesweepError } from '../domain/errors.js';
import { asStoreError } from './lostConnection.js';

/** Any number that is not the engine's own lock: one migration of a database at a time, whoever asks. */
const MIGRATION_LOCK = 1_380_930_387;

const CONNECT_TIMEOUT_MS = 10_000;

/** The folder prisma/ of this package: beside results/ in the sources, one level higher in the build. */
function prismaFolder(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'prisma');
    if (existsSync(join(candidate, 'migrations', 'migration_lock.toml'))) return candidate;
  }
  throw new RopesweepError('INTERNAL', { where: 'prisma/migrations', what: 'the folder is missing', mend: 'Install ropesweep again.' });
}

async function migrationNames(): Promise<string[]> {
  const entries = await readdir(join(prismaFolder(), 'migrations'), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
}

async function readMigrations() {
  const baseDir = join(prismaFolder(), 'migrations');
  const names = await migrationNames();
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: await readFile(join(baseDir, 'migration_lock.toml'), 'utf8') },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: { tag: 'ok' as const, value: await readFile(join(baseDir, name, 'migration.sql'), 'utf8') },
        },
      })),
    ),
  };
}

/** Whether all migrations were applied: commands that only look need not load the engine to hear that. */
async function isUpToDate(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ exists: boolean }>(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS exists`);
  if (rows[0]?.exists !== true) return false;
  const applied = await client.query<{ name: string }>('SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL');
  const names = new Set(applied.rows.map(({ name }) => name));
  return (await migrationNames()).every((name) => names.has(name));
}

/**
 * Brings a database to the schema of this version; does nothing where it is there already. Safe to call from several
 * processes at once: they wait for one another.
 *
 * @returns Names of the migrations that were applied.
 * @throws RopesweepError STORE_LOST if the server does not answer, CONFIG_INVALID if a migration cannot be applied.
 */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const lock = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // A connection that dies while it waits reports here as well as in the query; the query's error is the one to tell.
  lock.on('error', () => undefined);
  try {
    await lock.connect();
    if (await isUpToDate(lock)) return [];
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const migrationsList = await readMigrations();
    // Loaded only where there is something to apply: it is a large WebAssembly module.
    const { withSchemaEngine } = await import('./schemaEngine.js');
    const { appliedMigrationNames } = await withSchemaEngine(databaseUrl, undefined, (engine) =>
      engine.applyMigrations({ migrationsList, filters: { externalTables: [], externalEnums: [] } }),
    );
    return appliedMigrationNames;
  } catch (error) {
    const known = asStoreError(error);
    if (known instanceof RopesweepError) throw known;
    throw new RopesweepError(
      'CONFIG_INVALID',
      {
        where: 'DATABASE_URL',
        what: `the migrations cannot be applied: ${messageOf(error)}`,
        mend: 'Use a database of ropesweep’s own that its user owns, made by this or an older version.',
      },
      { cause: error },
    );
  } finally {
    await lock.end().catch(() => undefined);
  }
}

/** Text of prisma/schema.prisma. */
export const readSchema = (): Promise<string> => readFile(join(prismaFolder(), 'schema.prisma'), 'utf8');
