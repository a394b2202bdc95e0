import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RopesweepError } from '../../domain/errors.js';
import { spawnServer, type ServerProcess } from '../../infra/embedded/serverProcess.js';
import { supervise } from '../../infra/embedded/supervise.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ropesweep-supervise-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const program = (script: string, waitMs = 5_000): Promise<ServerProcess> =>
  spawnServer({ command: '/bin/sh', args: ['-c', script], logFile: join(folder, 'log'), stopSteps: [{ signal: 'SIGTERM', waitMs }] });

test('a server that dies again and again is given up with an error instead of restarted for ever', async () => {
  let starts = 0;
  const lines: string[] = [];
  const error = await new Promise<RopesweepError>((resolve, reject) => {
    supervise({
      part: 'Server',
      start: () => {
        starts += 1;
        return program('sleep 0.02; exit 3');
      },
      log: (line) => lines.push(line),
      onRestart: () => undefined,
      onGiveUp: resolve,
    }).catch(reject);
  });
  expect(error).toMatchObject({ code: 'STACK_FAILED', message: expect.stringContaining('exit code 3') as string });
  expect(starts).toBe(6);
  expect(lines.length).toBeGreaterThan(5);
});

test('stop during the pause before a restart starts nothing more, and a server deaf to its signal is killed', async () => {
  let starts = 0;
  const supervised = await supervise({
    part: 'Server',
    start: () => {
      starts += 1;
      return program('while :; do sleep 0.05; done');
    },
    log: () => undefined,
    onRestart: () => undefined,
    onGiveUp: () => undefined,
  });
  process.kill(supervised.server.pid, 'SIGKILL');
  await supervised.server.exited;
  await supervised.stop();
  expect(starts).toBe(1);
  const deaf = await program('trap "" TERM; echo deaf; while :; do sleep 0.05; done', 200);
  while (!readFileSync(join(folder, 'log'), 'utf8').includes('deaf')) await sleep(20);
  await deaf.stop();
  expect(await deaf.exited).toEqual({ code: null, signal: 'SIGKILL' });
});
