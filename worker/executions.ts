/** The Executions port over a Temporal client. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Executions } from '../domain/ports.js';

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
});
