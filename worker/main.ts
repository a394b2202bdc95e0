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
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { Command, Option } from 'commander';
import pRetry from 'p-retry';
import { controlActivities } from '../activities/control.js';
import { evaluateActivities } from '../activities/evaluate.js';
import { EXIT, RopesweepError } from '../domain/errors.js';
import { CONTROL_QUEUE, HEARTBEAT, evaluationQueue } from '../domain/orchestration.js';
import type { Place, Store } from '../domain/ports.js';
import { CPU, deviceText, parseDevice, type Device } from '../domain/device.js';
import { engineVersion } from '../domain/engine.js';
import { float32Cache } from '../infra/cacheFolder.js';
import { exitCodeOf, wholeNumber } from '../infra/commandLine.js';
import { temporalFromEnvironment } from '../infra/connections.js';
import { deviceNeeds } from '../infra/cuda.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { assertUsable } from '../evaluation/deviceProbe.js';
import { SELF_TEST_TOLERANCE } from '../evaluation/selfTest.js';
import { migrate } from '../results/migrate.js';
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
  readonly device: Device;
  readonly deviceClass?: string;
}

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
    .addHelpText(
      'after',
      `
Needs TEMPORAL_ADDRESS (or a profile of the Temporal environment configuration) and DATABASE_URL.

Examples:
  ropesweep worker --control                 workflows and planning, no evaluation
  ropesweep worker --slots 8 --threads 4     eight evaluation processes on this node
  ropesweep worker --control --slots 2       everything on one machine
  ropesweep worker --device cuda:0 --class cuda-80    one slot on a GPU`,
    )
    .exitOverride()
    .action(run);
}

async function run(options: Options): Promise<void> {
  const stop = new StopRequests();
  const databaseUrl = process.env['DATABASE_URL'];
  if (databaseUrl === undefined) {
    throw new RopesweepError('CONFIG_INVALID', { where: 'DATABASE_URL', what: 'it is not set', mend: 'Set it to the PostgreSQL of the sweep; a worker starts no database.' });
  }
  float32Cache(); // slots read it: what is wrong with it is said here
  // Before the servers are waited for; a CPU needs nothing, and its slots test themselves.
  if (options.device.provider !== 'cpu' && chooseSlots(options).slots > 0) {
    classOf(options);
    await assertUsable(options.device, deviceNeeds(options.device, homePath()));
  }
  Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
  const { connectionOptions, namespace } = temporalFromEnvironment();
  await untilItAnswers('PostgreSQL', () => migrate(databaseUrl));
  const store = await openStore(databaseUrl);
  const native = await untilItAnswers('the Temporal server', () => NativeConnection.connect(connectionOptions));
  const common: CommonOptions = { connection: native, namespace, shutdownGraceTime: 0, shutdownForceTime: DRAIN_MS };

  const connection = options.control ? await untilItAnswers('the Temporal server', () => Connection.connect(connectionOptions)) : null;
  const control = connection === null ? [] : [await controlWorker(common, store, new Client({ connection, namespace }))];
  const evaluation = await evaluationWorker(common, store, options);
  stop.drainInstead([...control, ...evaluation.workers]);
  process.send?.({ kind: 'ready' });
  try {
    await Promise.all([...control, ...evaluation.workers].map((worker) => worker.run()));
  } finally {
    await evaluation.close();
    await store.close();
    await connection?.close();
    await native.close();
  }
}

type CommonOptions = Pick<WorkerOptions, 'connection' | 'namespace' | 'shutdownGraceTime' | 'shutdownForceTime'>;

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

  drainInstead(workers: readonly Worker[]): void {
    this.act = () => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    };
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

async function controlWorker(common: CommonOptions, store: Store, client: Client): Promise<Worker> {
  return Worker.create({
    ...common,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: { code: await readFile(fileURLToPath(new URL('../workflows/bundle.cjs', import.meta.url)), 'utf8') },
    activities: controlActivities({ store, executions: temporalExecutions(client) }),
    maxConcurrentActivityTaskExecutions: 20,
  });
}

/** The worker of this machine's slots, registered and tested; none without slots. */
async function evaluationWorker(common: CommonOptions, store: Store, options: Options): Promise<{ workers: Worker[]; close: () => Promise<void> }> {
  const { slots, threads } = chooseSlots(options);
  if (slots === 0) return { workers: [], close: () => Promise.resolve() };
  const { device } = options;
  const deviceClass = classOf(options);
  const place: Place = { worker: `${hostname()}/${String(process.pid)}`, fingerprint: fingerprint(device), engineVersion: engineVersion(device.provider), deviceClass };
  const pool = new ForkedSlots({ slots, threads, place, device, environment: deviceNeeds(device, homePath()).environment });
  const passed = await passesSelfTest(pool);
  await store.registerWorker({ id: place.worker, host: hostname(), pid: process.pid, deviceClass, slots, fingerprint: place.fingerprint, selfTest: passed ? 'passed' : 'failed' });
  if (!passed) throw new RopesweepError('DEVICE_BROKEN', { where: place.worker, what: 'fused and reference attention differ' });

  const worker = await Worker.create({
    ...common,
    taskQueue: evaluationQueue(deviceClass),
    activities: evaluateActivities({ store, slots: pool, verifyWeights: weightsVerifier(store) }),
    // A task is taken only when a slot is free, so nothing waits behind a busy device.
    maxConcurrentActivityTaskExecutions: slots,
    maxHeartbeatThrottleInterval: HEARTBEAT.everyMs,
    defaultHeartbeatThrottleInterval: HEARTBEAT.everyMs,
  });
  const alive = setInterval(() => {
    store.heartbeatWorker(place.worker).catch((error: unknown) => console.error(`the worker's registry row could not be kept fresh: ${String(error)}`));
  }, HEARTBEAT.everyMs);
  const close = async (): Promise<void> => {
    clearInterval(alive);
    await pool.close();
    await store.unregisterWorker(place.worker).catch(() => undefined);
  };
  return { workers: [worker], close };
}

/** A GPU's memory decides which cells fit, so its class is never guessed. */
function classOf({ device, deviceClass }: Options): string {
  if (deviceClass !== undefined) return deviceClass;
  if (device.provider === 'cpu') return 'cpu';
  throw new RopesweepError('OPTION_INVALID', { where: '--class', what: `a worker on ${deviceText(device)} needs a device class`, mend: 'Name the class of this GPU, as sweeps name it (cuda-24, cuda-40, cuda-80, cuda-141 or one of their own).' });
}

async function passesSelfTest(pool: ForkedSlots): Promise<boolean> {
  const difference = await pool.selfTest();
  return difference !== null && difference <= SELF_TEST_TOLERANCE;
}

try {
  await workerCommand().parseAsync(process.argv.slice(3), { from: 'user' });
  process.exit(EXIT.done);
} catch (error) {
  process.exit(exitCodeOf(error));
}
