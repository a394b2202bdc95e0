/** `ropesweep down`: takes down the stack that `ropesweep up` left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { ownerOf } from '../infra/embedded/lock.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';

/** Draining, handing shards back and stopping the servers take seconds; commands that read are waited for. */
const STOP_LIMIT_MS = 120_000;

export function downCommand(): Command {
  return new Command('down')
    .description('Drain the worker and stop the servers that ropesweep up started; what is measured is kept.')
    .addOption(homeOption())
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nSweeps that run end as stopped and go on when their file is run again, or with ropesweep up and ropesweep resume.\nWhere nothing is up it says so and does nothing.\n\nExample:\n  ropesweep down')
    .action(async ({ home, json }: { home?: string; json: boolean }) => {
      const pid = await takeDown(homePath(home));
      if (json) printJson({ pid });
      else printLine(pid === null ? 'nothing is up' : `taken down (process ${String(pid)})`);
    });
}

/** @returns the process that was stopped; null if nothing is up */
async function takeDown(home: string): Promise<number | null> {
  const owner = ownerOf(home);
  if (owner === null) return null;
  if (!owner.up) {
    if (owner.sweep === null) return null;
    throw new RopesweepError('STACK_LOCKED', { where: home, what: `the servers belong to the run of ${owner.sweep} (process ${String(owner.pid)})`, mend: `Press Ctrl-C there, or: ropesweep stop ${owner.sweep}` });
  }
  process.kill(owner.pid, 'SIGTERM');
  for (const limit = Date.now() + STOP_LIMIT_MS; Date.now() < limit; ) {
    await sleep(100);
    if (ownerOf(home)?.pid !== owner.pid) return owner.pid;
  }
  throw new RopesweepError('STACK_FAILED', { where: home, what: `process ${String(owner.pid)} did not stop within ${String(STOP_LIMIT_MS / 1000)} s`, mend: `See logs/up.log there; kill -9 ${String(owner.pid)} ends it, and its guardian stops the servers.` });
}
