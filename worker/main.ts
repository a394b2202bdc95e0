/**
 * `ropesweep worker`: composes the ports and runs Temporal workers until told to stop.
 *
 * With --control it runs workflows and store activities; with slots it evaluates shards. Locally one process does
 * both, in a cluster one control worker serves many evaluation workers. SIGTERM drains: shards are handed back.
 */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, DefaultLogger, Worker } from '@temporalio/worker';
import { Command, InvalidArgumentError } from 'commander';
import pRetry from 'p-retry';
import { controlActivities } from '../activities/control.js';
import { evaluateActivities } from '../activities/evaluate.js';
import { EXIT, RopesweepError } from '../domain/errors.js';
import { CONTROL_QUEUE, HEARTBEAT, evaluationQueue } from '../domain/orchestration.js';
import type { Place } from '../domain/ports.js';
import { engineVersion } from '../domain/engine.js';
import { temporalFromEnvironment } from '../infra/connections.js';
import { SELF_TEST_TOLERANCE } from '../evaluation/selfTest.js';
import { openStore } from '../results/store.js';
import { fingerprint } from '../runtime/fingerprint.js';
import { temporalExecutions } from './executions.js';
import { chooseSlots } from './slots.js';
import { ForkedSlots } from './slotPool.js';
import { weightsVerifier } from './verifyWeights.js';

interface Options {
  readonly control: boolean;
  readonly slots?: number | 'auto';
  readonly threads?: number;
  readonly deviceClass: string;
}

/** How long a draining worker waits for its activities to hand their shards back. */
const DRAIN_MS = 20_000;

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('give a whole number.');
  return value;
};

const slotCount = (text: string): number | 'auto' => (text === 'auto' ? text : count(text));

export function workerCommand(): Command {
  return new Command('ropesweep worker')
    .description('Run a worker: evaluation slots on this machine, and with --control also workflows and store activities.')
    .option('--control', 'run workflows and store activities; without --slots nothing else', false)
    .option('--slots <n>', 'evaluation processes, or auto for one a core (default: auto; 0 with --control)', slotCount)
    .option('--threads <n>', 'threads of ONNX Runtime in each slot (default: 1)', count)
    .option('--device-class <name>', 'class of this node; sweeps name the class they want', 'cpu')
    .addHelpText(
      'after',
      `
Needs TEMPORAL_ADDRESS (or a profile of the Temporal environment configuration) and DATABASE_URL.

Examples:
  ropesweep worker --control                 workflows and planning, no evaluation
  ropesweep worker --slots 8 --threads 4     eight evaluation processes on this node
  ropesweep worker --control --slots 2       everything on one machine`,
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const databaseUrl = process.env['DATABASE_URL'];
  if (databaseUrl === undefined) {
    throw new RopesweepError('CONFIG_INVALID', { where: 'DATABASE_URL', what: 'it is not set', mend: 'Set it to the PostgreSQL of the sweep; a worker starts no database.' });
  }
  Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
  const { slots, threads } = chooseSlots(options);
  const store = await openStore(databaseUrl);
  const place: Place = {
    worker: `${hostname()}/${String(process.pid)}`,
    fingerprint: fingerprint(),
    engineVersion: engineVersion('cpu'),
    deviceClass: options.deviceClass,
  };
  const pool = new ForkedSlots({ slots, threads, place });
  const { connectionOptions, namespace } = temporalFromEnvironment();
  // A worker may be started before its server: it says so and tries again.
  const connect = <Result>(open: () => Promise<Result>): Promise<Result> =>
    pRetry(open, {
      retries: 60,
      minTimeout: 250,
      maxTimeout: 5_000,
      onFailedAttempt: ({ error, attemptNumber }) => {
        if (attemptNumber % 10 === 1) console.error(`waiting for the Temporal server: ${error.message}`);
      },
    });
  const native = await connect(() => NativeConnection.connect(connectionOptions));
  const common = { connection: native, namespace, shutdownGraceTime: 0, shutdownForceTime: DRAIN_MS };
  const workers: Worker[] = [];
  const connection = options.control ? await connect(() => Connection.connect(connectionOptions)) : null;
  if (connection !== null) {
    const client = new Client({ connection, namespace });
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: CONTROL_QUEUE,
        workflowBundle: { code: await readFile(fileURLToPath(new URL('../workflows/bundle.cjs', import.meta.url)), 'utf8') },
        activities: controlActivities({ store, executions: temporalExecutions(client) }),
        maxConcurrentActivityTaskExecutions: 20,
      }),
    );
  }
  if (slots > 0) {
    workers.push(
      await Worker.create({
        ...common,
        taskQueue: evaluationQueue(options.deviceClass),
        activities: evaluateActivities({ store, slots: pool, verifyWeights: weightsVerifier(store) }),
        // A task is taken only when a slot is free, so nothing waits behind a busy device.
        maxConcurrentActivityTaskExecutions: slots,
        maxHeartbeatThrottleInterval: HEARTBEAT.everyMs,
        defaultHeartbeatThrottleInterval: HEARTBEAT.everyMs,
      }),
    );
    const selfTest = await passesSelfTest(pool);
    await store.registerWorker({ id: place.worker, host: hostname(), pid: process.pid, deviceClass: place.deviceClass, slots, fingerprint: place.fingerprint, selfTest: selfTest ? 'passed' : 'failed' });
    if (!selfTest) throw new RopesweepError('DEVICE_BROKEN', { where: place.worker, what: 'fused and reference attention differ' });
  }
  const alive = setInterval(() => {
    store.heartbeatWorker(place.worker).catch((error: unknown) => console.error(`the worker's registry row could not be kept fresh: ${String(error)}`));
  }, HEARTBEAT.everyMs);

  const drain = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  process.on('SIGTERM', drain);
  // A worker that a command forked ends with it: the channel closes when the command is gone, even by kill -9.
  process.on('disconnect', drain);
  process.on('SIGINT', process.connected ? () => undefined : drain);
  process.send?.({ kind: 'ready', slots, threads });
  try {
    await Promise.all(workers.map((worker) => worker.run()));
  } finally {
    clearInterval(alive);
    await pool.close();
    if (slots > 0) await store.unregisterWorker(place.worker).catch(() => undefined);
    await store.close();
    await connection?.close();
    await native.close();
  }
}

async function passesSelfTest(pool: ForkedSlots): Promise<boolean> {
  const difference = await pool.selfTest();
  return difference !== null && difference <= SELF_TEST_TOLERANCE;
}

try {
  await workerCommand().parseAsync(process.argv.slice(3), { from: 'user' });
  process.exit(EXIT.done);
} catch (error) {
  console.error(error instanceof RopesweepError ? error.describe() : error);
  process.exit(error instanceof RopesweepError ? error.exitCode : EXIT.error);
}
