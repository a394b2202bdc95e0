/**
 * Starts a sweep's workflow, or tells the one that runs that the store has more: one id a sweep, so submitting again
 * after any kill is idempotent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import proto from '@temporalio/proto';
import { CONTROL_QUEUE, SIGNALS, sweepWorkflowId, type SweepInput } from '../domain/orchestration.js';
import type { TemporalServerInfo } from '../infra/connections.js';

const { TaskQueueType } = proto.temporal.api.enums.v1;
type TaskQueueType = proto.temporal.api.enums.v1.TaskQueueType;

export interface SubmittedWorkflow {
  /** Page of the workflow in the Temporal UI, where there is one. */
  readonly uiUrl: string | null;
  /** Whether the workflow runs now; null while the server does not answer. */
  running(): Promise<boolean | null>;
  /** Why a workflow that runs no more ended, in words. */
  ending(): Promise<string>;
  /** Waits until the workflow has ended, at most so long. */
  ended(limitMs: number): Promise<void>;
  /** Queues of the sweep that no worker polls; empty while the server does not answer. */
  unattended(): Promise<string[]>;
  close(): Promise<void>;
}

export async function submitWorkflow(temporal: TemporalServerInfo, input: SweepInput): Promise<SubmittedWorkflow> {
  const connection = await Connection.connect(temporal.connectionOptions);
  const client = new Client({ connection, namespace: temporal.namespace });
  const workflowId = sweepWorkflowId(input.sweep);
  await client.workflow.signalWithStart('sweepWorkflow', {
    workflowId,
    taskQueue: CONTROL_QUEUE,
    args: [input],
    signal: SIGNALS.extend,
    signalArgs: [],
  });
  const handle = client.workflow.getHandle(workflowId);
  const running = async (): Promise<boolean | null> => {
    try {
      return (await handle.describe()).status.name === 'RUNNING';
    } catch (error) {
      // Without the workflow nothing runs; any other error is a server that is away for a moment.
      return error instanceof WorkflowNotFoundError ? false : null;
    }
  };
  return {
    uiUrl: temporal.uiUrl === null ? null : `${temporal.uiUrl}/namespaces/${temporal.namespace}/workflows/${encodeURIComponent(workflowId)}`,
    running,
    ending: () =>
      handle.result().then(
        () => 'it completed',
        (error: unknown) => (error instanceof WorkflowFailedError ? (error.cause?.message ?? error.message) : String(error)),
      ),
    ended: async (limitMs) => {
      const limit = Date.now() + limitMs;
      while (Date.now() < limit && (await running()) !== false) await sleep(50);
    },
    unattended: async () => {
      const queues = [
        { name: CONTROL_QUEUE, type: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW },
        { name: input.evaluationQueue, type: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY },
      ];
      const described = await Promise.all(queues.map(({ name, type }) => pollers(connection, temporal.namespace, name, type)));
      return queues.filter((_, index) => described[index] === 0).map(({ name }) => name);
    },
    close: () => connection.close(),
  };
}

/** How many pollers a queue had within the last minutes; null while the server does not answer. */
async function pollers(connection: Connection, namespace: string, name: string, taskQueueType: TaskQueueType): Promise<number | null> {
  try {
    return (await connection.workflowService.describeTaskQueue({ namespace, taskQueue: { name }, taskQueueType })).pollers.length;
  } catch {
    return null;
  }
}
