/**
 * Writes down, now and then, what Temporal says of ropesweep's task queues: dashboards and alerts read the store alone.
 * Samples are no part of any sweep: one that cannot be had or kept is said once and passed over.
 */
import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { messageOf } from '../domain/errors.js';
import { CONTROL_QUEUE, evaluationQueue } from '../domain/orchestration.js';
import type { QueueSample } from '../domain/ports.js';
import type { PrismaStore } from '../results/store.js';

const { TaskQueueType } = proto.temporal.api.enums.v1;

const KINDS = { workflow: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, activity: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY } as const;

const EVERY_MS = 30_000;

export interface QueueSampler {
  stop(): void;
}

export function startQueueSampler(store: PrismaStore, connection: Pick<Connection, 'workflowService'>, namespace: string, everyMs = EVERY_MS): QueueSampler {
  let stopped = false;
  let troubled = false;
  const sample = async (): Promise<void> => {
    try {
      await store.saveQueueSamples(await sampleQueues(connection, namespace, await store.deviceClassesInUse()));
      troubled = false;
    } catch (error) {
      if (!troubled && !stopped) console.error(`task queues could not be sampled: ${messageOf(error)}`);
      troubled = true;
    }
  };
  const timer = setInterval(() => void sample(), everyMs);
  void sample();
  return {
    stop: () => {
      stopped = true;
      clearInterval(timer);
    },
  };
}

/** The control queue and the queue of each device class; queues of single workers hold a shard for seconds only. */
export function sampleQueues(connection: Pick<Connection, 'workflowService'>, namespace: string, deviceClasses: readonly string[]): Promise<QueueSample[]> {
  const queues = [
    { queue: CONTROL_QUEUE, kind: 'workflow' },
    { queue: CONTROL_QUEUE, kind: 'activity' },
    ...deviceClasses.map((deviceClass) => ({ queue: evaluationQueue(deviceClass), kind: 'activity' }) as const),
  ] as const;
  return Promise.all(
    queues.map(async ({ queue, kind }): Promise<QueueSample> => {
      const { stats, pollers } = await connection.workflowService.describeTaskQueue({ namespace, taskQueue: { name: queue }, taskQueueType: KINDS[kind], reportStats: true });
      const { seconds, nanos } = stats?.approximateBacklogAge ?? {};
      return {
        queue,
        kind,
        backlog: Number(stats?.approximateBacklogCount ?? 0),
        backlogAgeSeconds: Number(seconds ?? 0) + (nanos ?? 0) / 1e9,
        addedPerSecond: stats?.tasksAddRate ?? 0,
        dispatchedPerSecond: stats?.tasksDispatchRate ?? 0,
        pollers: pollers.length,
      };
    }),
  );
}
