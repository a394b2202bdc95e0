/**
 * The workflows of sweeps as the command sees them: one id a sweep, so submitting again after any kill is idempotent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { ShardId, SweepId } from '../domain/ids.js';
import { CONTROL_QUEUE, QUERIES, SIGNALS, evaluationQueue, shardWorkflowId, sweepWorkflowId, type ShardSituation, type SweepInput, type SweepSituation } from '../domain/orchestration.js';
import type { TemporalServerInfo } from '../infra/connections.js';

const { TaskQueueType } = proto.temporal.api.enums.v1;
type TaskQueueType = proto.temporal.api.enums.v1.TaskQueueType;

/** Seconds between two comparisons of a window with the store and with Temporal. */
const RECONCILE_SECONDS = 30;
/** A question to a workflow whose worker does not answer. */
const QUERY_LIMIT_MS = 3_000;

export class SweepWorkflows {
  private readonly client: Client;

  private constructor(
    private readonly connection: Connection,
    private readonly temporal: TemporalServerInfo,
  ) {
    this.client = new Client({ connection, namespace: temporal.namespace });
  }

  static async open(temporal: TemporalServerInfo): Promise<SweepWorkflows> {
    return new SweepWorkflows(await Connection.connect(temporal.connectionOptions), temporal);
  }

  /** Page of a sweep's workflow in the Temporal UI, where there is one. */
  uiUrl(sweep: SweepId): string | null {
    const { uiUrl, namespace } = this.temporal;
    return uiUrl === null ? null : `${uiUrl}/namespaces/${namespace}/workflows/${encodeURIComponent(sweepWorkflowId(sweep))}`;
  }

  /** Starts the sweep's workflow, or tells the one that runs that the store has news. */
  async start(sweep: SweepId): Promise<void> {
    const input: SweepInput = { sweep, reconcileSeconds: RECONCILE_SECONDS };
    await this.client.workflow.signalWithStart('sweepWorkflow', {
      workflowId: sweepWorkflowId(sweep),
      taskQueue: CONTROL_QUEUE,
      args: [input],
      signal: SIGNALS.news,
      signalArgs: [],
    });
  }

  /** Tells a workflow that runs that the store has news. @returns whether there is one */
  async tell(sweep: SweepId): Promise<boolean> {
    try {
      await this.client.workflow.getHandle(sweepWorkflowId(sweep)).signal(SIGNALS.news);
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      throw error;
    }
  }

  /** Whether the workflow runs now; null while the server does not answer. */
  async running(sweep: SweepId): Promise<boolean | null> {
    try {
      return (await this.client.workflow.getHandle(sweepWorkflowId(sweep)).describe()).status.name === 'RUNNING';
    } catch (error) {
      // Without the workflow nothing runs; any other error is a server that is away for a moment.
      return error instanceof WorkflowNotFoundError ? false : null;
    }
  }

  /** Why a workflow that runs no more ended, in words. */
  ending(sweep: SweepId): Promise<string> {
    return this.client.workflow
      .getHandle(sweepWorkflowId(sweep))
      .result()
      .then(
        () => 'it completed',
        (error: unknown) => (error instanceof WorkflowFailedError ? (error.cause?.message ?? error.message) : String(error)),
      );
  }

  /** Waits until the workflow has ended, at most so long. */
  async ended(sweep: SweepId, limitMs: number): Promise<void> {
    const limit = Date.now() + limitMs;
    while (Date.now() < limit && (await this.running(sweep)) !== false) await sleep(50);
  }

  /** Ends what runs of a sweep without asking it: for one that is deleted. */
  async terminate(sweep: SweepId, shards: readonly ShardId[]): Promise<void> {
    const ids = [sweepWorkflowId(sweep), ...shards.map((shard) => shardWorkflowId(sweep, shard))];
    await Promise.all(
      ids.map(async (workflowId) => {
        try {
          await this.client.workflow.getHandle(workflowId).terminate('the sweep was deleted');
        } catch (error) {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        }
      }),
    );
  }

  /** What the sweep's workflow says of itself; null where it does not run or nobody answers for it. */
  situation(sweep: SweepId): Promise<SweepSituation | null> {
    return this.query<SweepSituation>(sweepWorkflowId(sweep));
  }

  async shardSituations(sweep: SweepId, shards: readonly ShardId[]): Promise<ShardSituation[]> {
    const asked = await Promise.all(shards.map((shard) => this.query<ShardSituation>(shardWorkflowId(sweep, shard))));
    return asked.filter((situation) => situation !== null);
  }

  private async query<Situation>(workflowId: string): Promise<Situation | null> {
    try {
      return await this.connection.withDeadline(Date.now() + QUERY_LIMIT_MS, () => this.client.workflow.getHandle(workflowId).query<Situation>(QUERIES.situation));
    } catch {
      return null;
    }
  }

  /** Queues that a sweep needs and no worker polls; empty while the server does not answer. */
  async unattended(deviceClasses: readonly string[]): Promise<string[]> {
    const queues = [
      { name: CONTROL_QUEUE, type: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW },
      ...deviceClasses.map((name) => ({ name: evaluationQueue(name), type: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY })),
    ];
    const described = await Promise.all(queues.map(({ name, type }) => this.pollers(name, type)));
    return queues.filter((_, index) => described[index] === 0).map(({ name }) => name);
  }

  /** How many pollers a queue had within the last minutes; null while the server does not answer. */
  private async pollers(name: string, taskQueueType: TaskQueueType): Promise<number | null> {
    try {
      const { pollers } = await this.connection.workflowService.describeTaskQueue({ namespace: this.temporal.namespace, taskQueue: { name }, taskQueueType });
      return pollers.length;
    } catch {
      return null;
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
