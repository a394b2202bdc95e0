/** Servers that outlived a command that was killed: found by what that one recorded, and stopped before new ones start. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecordedServer } from './lock.js';
import { postmasterOf } from './postgresData.js';
import { identify, isAlive } from './processIdentity.js';
import { send } from './serverProcess.js';

const WAIT_MS = 12_000;

/**
 * Stops those of the recorded servers that live, and a PostgreSQL on this data that nobody recorded.
 * A pid that now belongs to another process is left alone.
 */
export async function stopOrphans(recorded: readonly RecordedServer[], postgresFolder: string, log: (line: string) => void): Promise<void> {
  const living = recorded.filter(isAlive);
  const postmaster = postmasterOf(postgresFolder);
  const identity = postmaster === null ? null : identify(postmaster);
  if (identity !== null && !living.some((server) => server.pid === identity.pid)) {
    living.push({ ...identity, name: 'PostgreSQL', stopSignal: 'SIGINT' });
  }
  await Promise.all(
    living.map(async (server) => {
      log(`${server.name} of a run that was killed still lives (process ${server.pid}): stopping it`);
      send(server.pid, server.stopSignal);
      const deadline = Date.now() + WAIT_MS;
      while (isAlive(server) && Date.now() < deadline) await sleep(50);
      if (isAlive(server)) send(server.pid, 'SIGKILL');
      while (isAlive(server)) await sleep(20);
    }),
  );
}
