/** The Executions port over a Temporal client. */
import { ActivityNotFoundError, ServiceError, WorkflowNotFoundError, isGrpcServiceError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { FAILURES, SIGNALS } from '../domain/orchestration.js';
import type { Executions } from '../domain/ports.js';

/**
 * Of one signal: a server that is busy with its workflow lets some hang for as long as the client has patience, and the next attempt
 * goes through at once. What is told twice changes nothing.
 */
const TELL_LIMIT_MS = 1_000;

export const temporalExecutions = (client: Client): Executions => ({
  running: async (workflowIds) => {
    const running = await Promise.all(
      workflowIds.map(async (workflowId) => {
        try {
          const { status } = await client.workflow.getHandle(workflowId).describe();
          return status.name === 'RUNNING' ? [workflowId] : [];
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return [];
          throw error;
        }
      }),
    );
    return new Set(running.flat());
  },
  shardEnded: async (workflowId, end) => {
    try {
      await client.withDeadline(Date.now() + TELL_LIMIT_MS, () => client.workflow.getHandle(workflowId).signal(SIGNALS.shardEnded, end));
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  },
  loseWorker: async (workflowIds, worker) => {
    await Promise.all(
      workflowIds.map(async (workflowId) => {
        try {
          const { raw } = await client.workflow.getHandle(workflowId).describe();
          for (const { activityId, lastWorkerIdentity } of raw.pendingActivities ?? []) {
            if (activityId == null || lastWorkerIdentity !== worker) continue;
            await client.activity.fail({ workflowId, activityId }, ApplicationFailure.create({ type: FAILURES.workerLost, message: `the process of worker ${worker} is gone` }));
          }
        } catch (error) {
          // It ended meanwhile, or another neighbour was first.
          if (!(error instanceof WorkflowNotFoundError) && !(error instanceof ActivityNotFoundError)) throw error;
        }
      }),
    );
  },
  prioritise: async (workflowIds, priority) => {
    await Promise.all(
      workflowIds.map(async (workflowId) => {
        try {
          await client.workflowService.updateActivityOptions({
            namespace: client.options.namespace,
            execution: { workflowId },
            type: 'evaluateShard',
            activityOptions: { priority: { priorityKey: priority } },
            updateMask: { paths: ['priority.priorityKey'] },
          });
        } catch (error) {
          // Its activity ended meanwhile, or backs off: the next one is scheduled with the priority of its start.
          if (!(error instanceof ServiceError) && !isGrpcServiceError(error)) throw error;
        }
      }),
    );
  },
});
