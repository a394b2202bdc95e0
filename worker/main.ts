/**
 * `ropesweep worker`: composes the ports and runs Temporal workers until told to stop.
 *
 * With --control it runs workflows and store activities; with slots it evaluates shards. Locally one process does
 * both, in a cluster one control worker serves many evaluation workers. SIGTERM drains: shards are handed back.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { Command, Option } from 'commander';
import pRetry from 'p-retry';
import { controlActivities } from '../activities/control.js';
import { EXIT, messageOf, RopesweepError } from '../domain/errors.js';
import { CONTROL_QUEUE } from '../domain/orchestration.js';
import type { Executions, Store } from '../domain/ports.js';
import { CPU, parseDevice, type Device } from '../domain/device.js';
import { float32Cache } from '../infra/cacheFolder.js';
import { exitCodeOf, wholeNumber } from '../infra/commandLine.js';
import { openWorkerServers } from '../infra/connections.js';
import { deviceNeeds } from '../infra/cuda.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { assertUsable } from '../evaluation/deviceProbe.js';
import { migrate } from '../results/migrate.js';
import { openStore } from '../results/store.js';
import { classOf, openEvaluation, type CommonOptions } from './evaluationWorker.js';
import { temporalExecutions } from './executions.js';
import { reportDeadNeighbours } from './neighbours.js';
import { startQueueSampler } from './queueSampler.js';
import { chooseSlots } from './slots.js';

interface Options {
  readonly control: boolean;
  readonly slots?: number | 'auto';
  readonly threads?: number;
  readonly device: Device;
  readonly deviceClass?: string;
  readonly home?: string;
}

/** So often a worker that is attached to a stack looks whether its owner is still there. */
const OWNER_LOOK_MS = 500;
/** How long a draining worker waits for its activities to hand their shards back. */
const DRAIN_MS = 20_000;

const slotCount = (text: string): number | 'auto' => (text === 'auto' ? text : wholeNumber('--slots', 0)(text));

export function workerCommand(): Command {
  return new Command('ropesweep worker')
    .description('Run a worker: evaluation slots on this machine, and with --control also workflows and store activities.')
    .option('--control', 'run workflows and store activities; without --slots nothing else', false)
    .option('--slots <n>', 'evaluation processes, or auto for one a core (default: auto; 0 with --control)', slotCount)
    .option('--threads <n>', 'threads of ONNX Runtime in each slot (default: 1)', wholeNumber('--threads'))
    .addOption(new Option('--device <device>', 'cpu, cuda:N or webgpu (experimental)').argParser(parseDevice).default(CPU, 'cpu'))
    .option('--class, --device-class <name>', 'class of this node; sweeps name the class they want (default: cpu on a CPU)')
    .option('--home <folder>', 'folder of the embedded stack to work for (default: .ropesweep, or ROPESWEEP_HOME)')
    .addHelpText(
      'after',
      `
Works for the servers that DATABASE_URL and TEMPORAL_ADDRESS (or a profile of the Temporal environment configuration) name. With
neither set, for the stack that runs in the home (ropesweep up, or a run), beside its own worker: it ends when that stack does.

Examples:
  ropesweep worker --control                 workflows and planning, no evaluation
  ropesweep worker --slots 8 --threads 4     eight evaluation processes on this node
  ropesweep worker --control --slots 2       everything on one machine
  ropesweep worker --device cuda:0 --class cuda-80    one slot on a GPU
  ropesweep worker --slots 1 --class large    beside ropesweep up: for the cells of sweeps with largerDeviceClass: large`,
    )
    .exitOverride()
    .action(run);
}

async function run(options: Options): Promise<void> {
  const stop = new StopRequests();
  // Slots and what they need find the home by it.
  if (options.home !== undefined) process.env['ROPESWEEP_HOME'] = options.home;
  float32Cache(); // slots read it: what is wrong with it is said here
  // Before the servers are waited for; a CPU needs nothing, and its slots test themselves.
  if (options.device.provider !== 'cpu' && chooseSlots(options).slots > 0) {
    classOf(options);
    await assertUsable(options.device, deviceNeeds(options.device, homePath()));
  }
  Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
  const servers = await openWorkerServers();
  const { databaseUrl, connectionOptions, namespace } = servers;
  const looking = setInterval(() => {
    if (!servers.ownerGone()) return;
    clearInterval(looking);
    console.error('the stack that this worker works for is being taken down: it ends too');
    stop.now();
  }, OWNER_LOOK_MS);
  await untilItAnswers('PostgreSQL', () => migrate(databaseUrl));
  const store = await openStore(databaseUrl);
  const native = await untilItAnswers('the Temporal server', () => NativeConnection.connect(connectionOptions));
  const common: CommonOptions = { connection: native, namespace, shutdownGraceTime: 0, shutdownForceTime: DRAIN_MS };

  const connection = await untilItAnswers('the Temporal server', () => Connection.connect(connectionOptions));
  const executions = temporalExecutions(new Client({ connection, namespace }));
  for (const worker of await deadNeighbours(store, executions)) console.error(`worker ${worker} of this machine is gone; its shards go on`);
  const control = options.control ? [await controlWorker(common, store, executions)] : [];
  const sampler = options.control ? startQueueSampler(store, connection, namespace) : null;
  const evaluation = await openEvaluation(common, store, executions, options);
  const drained = stop.drainInstead([...control, ...(evaluation?.workers ?? [])]);
  process.send?.({ kind: 'ready' });
  try {
    await Promise.all([...control.map((worker) => worker.run()), evaluation?.run(drained)]);
  } finally {
    sampler?.stop();
    await evaluation?.close();
    await store.close();
    await connection.close();
    await native.close();
    clearInterval(looking);
    await servers.close();
  }
}

/**
 * SIGTERM, SIGINT, and the end of the command that forked this worker (the channel closes, even by kill -9). Listened for
 * from the first moment: until the workers run there is nothing to hand back, so the process just ends.
 */
class StopRequests {
  private act: () => void = () => process.exit(EXIT.done);

  constructor() {
    const forked = process.connected;
    process.on('SIGTERM', () => this.act());
    process.on('disconnect', () => this.act());
    // Ctrl-C of a terminal is the command's to answer where a command forked this worker.
    process.on('SIGINT', () => {
      if (!forked) this.act();
    });
  }

  now(): void {
    this.act();
  }

  /** @returns what resolves when a stop was asked for */
  drainInstead(workers: readonly Worker[]): Promise<void> {
    return new Promise((resolve) => {
      this.act = () => {
        for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
        resolve();
      };
    });
  }
}

/** A worker may be started before its servers: it says what it waits for, and tries again for some minutes. */
function untilItAnswers<Result>(what: string, open: () => Promise<Result>): Promise<Result> {
  return pRetry(open, {
    retries: 60,
    minTimeout: 250,
    maxTimeout: 5_000,
    shouldRetry: ({ error }) => !(error instanceof RopesweepError) || error.retryable,
    onFailedAttempt: ({ error, attemptNumber }) => {
      if (attemptNumber % 10 === 1) console.error(`waiting for ${what}: ${error.message}`);
    },
  });
}

/** Who cannot be told now is told with the first heartbeat, or by a timeout: no reason not to start. */
async function deadNeighbours(store: Store, executions: Executions): Promise<string[]> {
  try {
    return await reportDeadNeighbours(store, executions);
  } catch (error) {
    console.error(`workers of this machine that are gone could not be reported: ${messageOf(error)}`);
    return [];
  }
}

async function controlWorker(common: CommonOptions, store: Store, executions: Executions): Promise<Worker> {
  return Worker.create({
    ...common,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: { code: await readFile(fileURLToPath(new URL('../workflows/bundle.cjs', import.meta.url)), 'utf8') },
    activities: controlActivities({ store, executions }),
    maxConcurrentActivityTaskExecutions: 20,
  });
}

try {
  await workerCommand().parseAsync(process.argv.slice(3), { from: 'user' });
  process.exit(EXIT.done);
} catch (error) {
  process.exit(exitCodeOf(error));
}
