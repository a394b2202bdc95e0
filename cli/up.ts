/**
 * `ropesweep up`: the embedded servers and a worker that stay, so that sweeps come and go without them.
 *
 * The command starts itself once more, in the background, with --foreground: that process owns the stack.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { CPU, deviceText, parseDevice, type Device } from '../domain/device.js';
import { RopesweepError } from '../domain/errors.js';
import { assertUsable } from '../evaluation/deviceProbe.js';
import { configuredServers, openConnections } from '../infra/connections.js';
import { deviceNeeds } from '../infra/cuda.js';
import { homePath, prepareHome } from '../infra/embedded/homeFolder.js';
import { ownerOf, type OwnerRecord } from '../infra/embedded/lock.js';
import { packageFile } from '../infra/packageRoot.js';
import { migrate } from '../results/migrate.js';
import { openStore } from '../results/store.js';
import { LocalWorker } from './localWorker.js';
import { homeOption, slotOption } from './options.js';
import { printJson, printLine } from './output.js';
import { stopRequests } from './stopRequests.js';

interface UpOptions {
  readonly home?: string;
  readonly slots?: number;
  readonly device: Device;
  readonly class: string;
  readonly foreground: boolean;
  readonly json: boolean;
}

const START_LIMIT_MS = 300_000;

export function upCommand(): Command {
  return new Command('up')
    .description('Start the embedded servers and a worker in the background; they stay until ropesweep down.')
    .addOption(slotOption())
    .addOption(new Option('--device <device>', 'cpu, cuda:N or webgpu (experimental)').argParser(parseDevice).default(CPU, 'cpu'))
    .option('--class <name>', 'device class that the worker evaluates', 'cpu')
    .addOption(homeOption())
    .option('--foreground', 'stay in this process, and end with it (Ctrl-C, SIGTERM)', false)
    .option('--json', 'addresses as JSON', false)
    .addHelpText(
      'after',
      `
Sweeps then run on it: ropesweep run FILE (or run FILE --detach, which returns at once), watch, pause, resume, stop, cancel, set.
A stack that is up already is left as it is. Needs no server of your own; with configured servers start ropesweep worker instead.

Examples:
  ropesweep up
  ropesweep up --slots 2
  ropesweep run sweeps/demo.yaml --detach && ropesweep watch demo
  ropesweep down`,
    )
    .action(async (options: UpOptions) => {
      refuseConfigured();
      if (options.foreground) await serve(options);
      else await startInBackground(options);
    });
}

function refuseConfigured(): void {
  if (configuredServers().databaseUrl === null) return;
  throw new RopesweepError('CONFIG_INVALID', { where: 'DATABASE_URL', what: 'servers are configured, so there is nothing to bring up', mend: 'Start ropesweep worker on the nodes, or unset DATABASE_URL for the embedded stack.' });
}

const isServing = (owner: OwnerRecord | null): owner is OwnerRecord => owner?.up === true && owner.state === 'ready' && owner.deviceClass !== undefined;

function show(owner: OwnerRecord, { json }: UpOptions, before: string): void {
  const { pid, uiUrl = null, deviceClass = null } = owner;
  if (json) printJson({ pid, temporalUi: uiUrl, deviceClass });
  else printLine(`${before} (process ${String(pid)}): PostgreSQL, Temporal${uiUrl === null ? '' : ` with its UI at ${uiUrl}`}, a worker of class ${String(deviceClass)}; ropesweep down takes it down`);
}

async function startInBackground(options: UpOptions): Promise<void> {
  const home = prepareHome(homePath(options.home));
  const running = ownerOf(home);
  if (isServing(running)) {
    show(running, options, 'it is up already');
    return;
  }
  mkdirSync(join(home, 'logs'), { recursive: true });
  const logFile = join(home, 'logs', 'up.log');
  const logStart = existsSync(logFile) ? statSync(logFile).size : 0;
  const log = openSync(logFile, 'a');
  const { slots, device, class: deviceClass } = options;
  const args = ['up', '--foreground', '--home', home, '--class', deviceClass, '--device', deviceText(device), ...(slots === undefined ? [] : ['--slots', String(slots)])];
  const child = spawn(process.execPath, [packageFile('bin', 'ropesweep.js'), ...args], { detached: true, stdio: ['ignore', log, log] });
  let ended: number | null | undefined;
  child.once('exit', (code) => (ended = code));
  child.unref();
  for (const limit = Date.now() + START_LIMIT_MS; Date.now() < limit; ) {
    await sleep(100);
    const owner = ownerOf(home);
    if (isServing(owner)) {
      show(owner, options, owner.pid === child.pid ? 'up' : 'it is up already');
      return;
    }
    if (ended !== undefined) break;
  }
  child.kill('SIGTERM');
  const said = readFileSync(logFile).subarray(logStart).toString('utf8').trim().split('\n').slice(-12).join('\n');
  throw new RopesweepError('STACK_FAILED', { where: logFile, what: `the stack did not come up:\n${said}` });
}

/** Owns the stack until it is told to stop. */
async function serve(options: UpOptions): Promise<void> {
  const { device, class: deviceClass } = options;
  const say = (line: string): void => printLine(`${new Date().toISOString()} ${line}`);
  const stop = stopRequests(() => say('taking the stack down'));
  const connections = await openConnections({ ...(options.home === undefined ? {} : { home: options.home }), sweep: null, up: true, log: say });
  try {
    await migrate(connections.databaseUrl);
    await connections.temporal();
    if (device.provider !== 'cpu') await assertUsable(device, deviceNeeds(device, connections.home));
    const worker = new LocalWorker({
      home: connections.home,
      environment: connections.workerEnvironment(),
      control: true,
      deviceClass,
      device,
      ...(options.slots === undefined ? {} : { slots: options.slots }),
      onRestart: (how) => say(`the worker died (${how}) and is started again`),
    });
    try {
      connections.serves(deviceClass);
      say(`up: a worker of class ${deviceClass} serves`);
      const told = new Promise<void>((resolve) => {
        if (stop.signal.aborted) resolve();
        else stop.signal.addEventListener('abort', () => resolve());
      });
      await Promise.race([told, connections.failed, worker.failed]);
    } finally {
      await worker.stop();
      await endSweeps(connections.databaseUrl);
    }
  } finally {
    stop.dispose();
    await connections.close();
    say('down');
  }
}

/** Nothing works on them any more; a paused sweep stays paused for the next stack. */
async function endSweeps(databaseUrl: string): Promise<void> {
  const store = await openStore(databaseUrl);
  try {
    for (const { sweep, state } of await store.sweeps()) {
      if (state === 'running' || state === 'stopping' || state === 'cancelling') await store.finishSweep(sweep, state === 'cancelling' ? 'cancelled' : 'stopped', 'the stack was taken down');
    }
  } finally {
    await store.close();
  }
}
