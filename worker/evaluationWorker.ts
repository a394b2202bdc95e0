/**
 * The part of a worker that evaluates shards: its slots, tested, registered and kept registered.
 */
import { hostname, totalmem } from 'node:os';
import { Worker, type WorkerOptions } from '@temporalio/worker';
import { evaluateActivities } from '../activities/evaluate.js';
import { deviceText } from '../domain/device.js';
import { engineVersion } from '../domain/engine.js';
import { messageOf, RopesweepError } from '../domain/errors.js';
import { HEARTBEAT, evaluationQueue, workerQueue } from '../domain/orchestration.js';
import type { Executions, Place, Store, WorkerRow } from '../domain/ports.js';
import { SELF_TEST_TOLERANCE } from '../evaluation/selfTestTolerance.js';
import { deviceNeeds } from '../infra/cuda.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { identify } from '../infra/embedded/processIdentity.js';
import { VERSION } from '../infra/version.js';
import { fingerprint } from '../runtime/fingerprint.js';
import { chooseSlots, type SlotWishes } from './slots.js';
import { reportDeadNeighbours } from './neighbours.js';
import { SlotPermits } from './slotPermits.js';
import { ForkedSlots } from './slotPool.js';
import { weightsVerifier } from './verifyWeights.js';

export type CommonOptions = Pick<WorkerOptions, 'connection' | 'namespace' | 'shutdownGraceTime' | 'shutdownForceTime'>;

/** These workers have nothing but activities; Temporal wants the rest named all the same. */
const NO_OTHER_TASKS = {
  workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
  localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
  nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
} as const;

export interface EvaluationWishes extends SlotWishes {
  readonly deviceClass?: string;
}

export interface Evaluation {
  /** Of the class's queue and of this worker's own. */
  readonly workers: readonly Worker[];
  /** Evaluates until told to stop; a worker that is set aside meanwhile stays registered and idle until `stopped`. */
  run(stopped: Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the slots of this machine; null where it is to have none.
 *
 * @throws RopesweepError DEVICE_BROKEN if the self-test fails, OPTION_INVALID without a class for a GPU
 */
export async function openEvaluation(common: CommonOptions, store: Store, executions: Executions, options: EvaluationWishes): Promise<Evaluation | null> {
  const { slots, threads } = chooseSlots(options);
  if (slots === 0) return null;
  const { device } = options;
  const deviceClass = classOf(options);
  const place: Place = { worker: `${hostname()}/${String(process.pid)}`, fingerprint: fingerprint(device), engineVersion: engineVersion(device.provider), deviceClass };
  const queue = workerQueue(deviceClass, place.worker);
  const pool = new ForkedSlots({ slots, threads, place, device, environment: deviceNeeds(device, homePath()).environment });
  const passed = await passesSelfTest(pool);
  const row: WorkerRow = {
    id: place.worker,
    host: hostname(),
    pid: process.pid,
    processStarted: identify(process.pid)?.started ?? '',
    deviceClass,
    slots,
    queue,
    fingerprint: place.fingerprint,
    selfTest: passed ? 'passed' : 'failed',
    memoryBytes: device.provider === 'cpu' ? totalmem() : null,
    version: VERSION,
  };
  await store.registerWorker(row);
  if (!passed) throw new RopesweepError('DEVICE_BROKEN', { where: place.worker, what: 'fused and reference attention differ' });

  const permits = new SlotPermits(slots);
  const activities = evaluateActivities({ store, slots: pool, verifyWeights: weightsVerifier(store) });
  const onQueue = (taskQueue: string): Promise<Worker> =>
    Worker.create({
      ...common,
      // By this name others tell Temporal that it is gone.
      identity: place.worker,
      taskQueue,
      activities,
      // A task is taken only when a slot is free, so nothing waits behind a busy device.
      tuner: { activityTaskSlotSupplier: permits.supplier(), ...NO_OTHER_TASKS },
      maxHeartbeatThrottleInterval: HEARTBEAT.everyMs,
      defaultHeartbeatThrottleInterval: HEARTBEAT.everyMs,
    });
  const workers = await Promise.all([onQueue(evaluationQueue(deviceClass)), onQueue(queue)]);
  const registration = keepRegistered(store, executions, row, pool, workers);
  return {
    workers,
    run: async (stopped) => {
      await Promise.all(workers.map((worker) => worker.run()));
      if (registration.isAside()) await stopped;
    },
    close: async () => {
      await registration.stop();
      await pool.close();
      await store.unregisterWorker(row).catch(() => undefined);
    },
  };
}

interface Registration {
  isAside(): boolean;
  /** Resolves when the last heartbeat was written. */
  stop(): Promise<void>;
}

/** Keeps the row of the registry fresh, and hears from it when the node is set aside: then it takes no more work. */
function keepRegistered(store: Store, executions: Executions, row: WorkerRow, pool: ForkedSlots, workers: readonly Worker[]): Registration {
  let aside = false;
  let beating = Promise.resolve();
  const beat = async (): Promise<void> => {
    try {
      const standing = await store.heartbeatWorker(row.id, { draining: !aside && workers.some((worker) => worker.getState() !== 'RUNNING'), loaded: pool.loaded });
      if (standing?.state === 'aside' && !aside) {
        aside = true;
        console.error(`this worker was set aside and takes no more work: ${standing.reason ?? 'no reason is known'}`);
        for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      }
      // Somebody took it for another process, or removed it by hand.
      if (standing === null && !aside) await store.registerWorker(row);
      await reportDeadNeighbours(store, executions);
    } catch (error) {
      console.error(`the registry of workers could not be kept fresh: ${messageOf(error)}`);
    }
  };
  const timer = setInterval(() => {
    beating = beat();
  }, HEARTBEAT.everyMs);
  return {
    isAside: () => aside,
    stop: () => {
      clearInterval(timer);
      return beating;
    },
  };
}

/** A GPU's memory decides which cells fit, so its class is never guessed. */
export function classOf({ device, deviceClass }: Pick<EvaluationWishes, 'device' | 'deviceClass'>): string {
  if (deviceClass !== undefined) return deviceClass;
  if (device.provider === 'cpu') return 'cpu';
  throw new RopesweepError('OPTION_INVALID', { where: '--class', what: `a worker on ${deviceText(device)} needs a device class`, mend: 'Name the class of this GPU, as sweeps name it (cuda-24, cuda-40, cuda-80, cuda-141 or one of their own).' });
}

async function passesSelfTest(pool: ForkedSlots): Promise<boolean> {
  const difference = await pool.selfTest();
  return difference !== null && difference <= SELF_TEST_TOLERANCE;
}
