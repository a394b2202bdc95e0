/**
 * The worker of the orchestration benchmark: control and evaluation in one process of its own, put together as `ropesweep worker
 * --control --slots 2` is, with slots that return at once. It also serves the workflow of one activity a cell that the
 * sweep is measured beside.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { controlActivities } from '../activities/control.js';
import { evaluateActivities } from '../activities/evaluate.js';
import { CONTROL_QUEUE, HEARTBEAT, evaluationQueue } from '../domain/orchestration.js';
import { openStore } from '../results/store.js';
import { temporalExecutions } from '../worker/executions.js';
import { IN_FLIGHT, PLAIN_QUEUE } from './activityPerCell.js';
import { noOpSlots } from './noOpSlots.js';

const SLOTS = 2;

const [databaseUrl, address] = process.argv.slice(2);
if (databaseUrl === undefined || address === undefined) throw new Error('usage: orchestrationWorker DATABASE_URL TEMPORAL_ADDRESS');

const logger = new DefaultLogger('WARN');
Runtime.install({ logger, shutdownSignals: [] });
const slots = noOpSlots(databaseUrl, `bench/${String(process.pid)}`);
const store = await openStore(databaseUrl);
const connection = await NativeConnection.connect({ address });
const client = new Client({ connection: await Connection.connect({ address }) });
const common = { connection, shutdownGraceTime: 0 };
const { code } = await bundleWorkflowCode({ workflowsPath: fileURLToPath(new URL('./activityPerCell.js', import.meta.url)), logger });

const workers = await Promise.all([
  Worker.create({
    ...common,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: { code: await readFile(fileURLToPath(new URL('../workflows/bundle.cjs', import.meta.url)), 'utf8') },
    activities: controlActivities({ store, executions: temporalExecutions(client) }),
    maxConcurrentActivityTaskExecutions: 20,
  }),
  Worker.create({
    ...common,
    taskQueue: evaluationQueue(slots.place.deviceClass),
    activities: evaluateActivities({ store, slots, verifyWeights: () => Promise.resolve() }),
    maxConcurrentActivityTaskExecutions: SLOTS,
    maxHeartbeatThrottleInterval: HEARTBEAT.everyMs,
    defaultHeartbeatThrottleInterval: HEARTBEAT.everyMs,
  }),
  Worker.create({
    ...common,
    taskQueue: PLAIN_QUEUE,
    workflowBundle: { code },
    activities: { noOp: () => Promise.resolve() },
    maxConcurrentActivityTaskExecutions: IN_FLIGHT,
  }),
]);
process.on('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });
await Promise.all(workers.map((worker) => worker.run()));
