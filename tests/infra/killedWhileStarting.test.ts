import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startPostgres } from '../../infra/embedded/postgres.js';
import { startTemporal } from '../../infra/embedded/temporal.js';
import { sharedTemporal } from './sharedTemporal.js';
import { query } from './query.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ropesweep-killed-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Kills the first process that is started, and remembers them all. */
function killFirst(): { pids: number[]; onSpawn: (pid: number) => void } {
  const pids: number[] = [];
  return {
    pids,
    onSpawn: (pid) => {
      if (pids.length === 0) process.kill(pid, 'SIGKILL');
      pids.push(pid);
    },
  };
}

test('PostgreSQL that is killed while it starts is started again', async () => {
  const { pids, onSpawn } = killFirst();
  const server = await startPostgres({ folder: join(folder, 'postgres'), port: await getPort(), logFile: join(folder, 'log'), durable: false, onSpawn });
  expect(pids).toHaveLength(2);
  expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await server.stop();
});

test('Temporal that is killed while it starts is started again', async () => {
  const { pids, onSpawn } = killFirst();
  const [port, uiPort] = [await getPort(), await getPort()];
  const server = await startTemporal({ binary: await sharedTemporal(), databaseFile: join(folder, 'temporal.db'), port, uiPort, logFile: join(folder, 'log'), onSpawn });
  expect(pids).toHaveLength(2);
  expect(server.pid).toBe(pids[1]);
  await server.stop();
});
