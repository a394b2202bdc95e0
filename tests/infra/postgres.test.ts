import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterEach, expect, test } from 'vitest';
import { startPostgres, type PostgresServer } from '../../infra/embedded/postgres.js';
import { query } from './query.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function temporaryFolder(): string {
  // Made with mode 0700: as root this is the case of a clone that PostgreSQL's account may not enter.
  const folder = mkdtempSync(join(tmpdir(), 'ropesweep-postgres-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function start(folder: string, port: number): Promise<PostgresServer> {
  const server = await startPostgres({ folder: join(folder, 'postgres'), port, logFile: join(folder, 'postgres.log'), durable: false });
  cleanups.push(() => server.stop());
  return server;
}

test('PostgreSQL starts below a folder that only its owner may enter, keeps data over a stop, and asks for the password', async () => {
  const folder = temporaryFolder();
  const port = await getPort({ host: '127.0.0.1' });
  const first = await start(folder, port);
  await query(first.url, 'CREATE TABLE kept (value int); INSERT INTO kept VALUES (7)');
  expect(statSync(join(folder, 'postgres', 'password')).mode & 0o077).toBe(0);
  await expect(query(first.url.replace(/:[^:@]*@/, ':wrong@'), 'SELECT 1')).rejects.toThrow('password authentication failed');
  await first.stop();
  const began = performance.now();
  const second = await start(folder, port);
  console.log(`second start: ${Math.round(performance.now() - began)} ms`);
  expect(await query(second.url, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
});

test('PostgreSQL starts again on the same data and port right after kill -9', async () => {
  const folder = temporaryFolder();
  const port = await getPort({ host: '127.0.0.1' });
  const first = await start(folder, port);
  await query(first.url, 'CREATE TABLE kept (value int); INSERT INTO kept VALUES (7)');
  const busy = query(first.url, 'SELECT pg_sleep(30)').catch(() => null);
  process.kill(first.pid, 'SIGKILL');
  const began = performance.now();
  expect(await first.exited).toEqual({ code: null, signal: 'SIGKILL' });
  const second = await start(folder, port);
  console.log(`start after kill -9: ${Math.round(performance.now() - began)} ms`);
  expect(second.url).toBe(first.url);
  expect(await query(second.url, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
  await busy;
});

test('a taken port and a broken data folder each give one error that says where', async () => {
  const folder = temporaryFolder();
  const first = await start(folder, await getPort({ host: '127.0.0.1' }));
  const other = temporaryFolder();
  await expect(start(other, first.port)).rejects.toMatchObject({ code: 'PORT_TAKEN', problems: [{ where: `127.0.0.1:${first.port}` }] });
  await first.stop();
  rmSync(join(folder, 'postgres', 'data', 'PG_VERSION'));
  await expect(start(folder, first.port)).rejects.toMatchObject({ code: 'STACK_FAILED', problems: [{ where: join(folder, 'postgres.log') }] });
});
