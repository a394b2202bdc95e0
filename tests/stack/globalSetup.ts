/**
 * One embedded PostgreSQL for a vitest run, with one migrated database that test files clone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { startGuardian } from '../../infra/embedded/guardian.js';
import { startPostgres } from '../../infra/embedded/postgres.js';
import { migrate } from '../../results/migrate.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** As a superuser, to the server's default database. */
    readonly postgresUrl: string;
    /** Name of the migrated database that is cloned. */
    readonly templateDatabase: string;
  }
}

const TEMPLATE = 'ropesweep_template';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'ropesweep-tests-'));
  // A test run that is killed takes its server with it.
  const guardian = startGuardian();
  const server = await startPostgres({
    folder: join(folder, 'postgres'),
    port: await getPort(),
    logFile: join(folder, 'postgres.log'),
    durable: false,
    onSpawn: (pid) => guardian.watch(pid, 'SIGINT'),
  });
  const stop = async () => {
    await server.stop();
    guardian.release();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const admin = new pg.Client({ connectionString: server.url });
    await admin.connect();
    await admin.query(`CREATE DATABASE ${TEMPLATE}`);
    await admin.end();
    const template = new URL(server.url);
    template.pathname = `/${TEMPLATE}`;
    await migrate(template.href);
    project.provide('postgresUrl', server.url);
    project.provide('templateDatabase', TEMPLATE);
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}
