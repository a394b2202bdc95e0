/**
 * Starts a sweep's workflow, or tells the one that runs that the store has more: one id a sweep, so submitting again
 * after any kill is idempotent.
 */
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { CONTROL_QUEUE, SIGNALS, sweepWorkflowId, type SweepInput } from '../domain/orchestration.js';
import type { TemporalServerInfo } from '../infra/connections.js';

export interface SubmittedWorkflow {
  /** Page of the workflow in the Temporal UI, where there is one. */
  readonly uiUrl: string | null;
  /** Whether the workflow runs now; null while the server does not answer. */
  running(): Promise<boolean | null>;
  /** Waits until the workflow has ended, at most so long. */
  ended(limitMs: number): Promise<void>;
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
    ended: async (limitMs) => {
      const limit = Date.now() + limitMs;
      while (Date.now() < limit && (await running()) !== false) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    close: () => connection.close(),
  };
}
