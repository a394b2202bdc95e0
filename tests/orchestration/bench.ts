/**
 * A Temporal server of its own, the committed workflow bundle, and activities over a backlog in memory: what workflows
 * decide is tested here; the store, the engine and both together have tests of their own.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import getPort from 'get-port';
import type { ControlActivities } from '../../activities/control.js';
import type { EvaluateActivities } from '../../activities/evaluate.js';
import type { ShardId, SweepId } from '../../domain/ids.js';
import { CONTROL_QUEUE, SIGNALS, sweepWorkflowId, type SweepEnd, type SweepInput } from '../../domain/orchestration.js';
import type { SweepEndState } from '../../domain/states.js';
import { startTemporal } from '../../infra/embedded/temporal.js';
import { packageFile } from '../../infra/packageRoot.js';
import { sharedTemporal } from '../infra/sharedTemporal.js';

Runtime.install({ logger: new DefaultLogger('ERROR') });

export const QUEUE = 'test-evaluate';

/** What a shard does when it is evaluated: returns, or throws what evaluateShard would throw. */
export type Behaviour = (attempt: number, signal: AbortSignal) => Promise<void>;

export const fails = (type: string, nonRetryable = false): never => {
  throw ApplicationFailure.create({ type, message: `${type} on purpose`, nonRetryable });
};

export const untilCancelled: Behaviour = (_, signal) =>
  new Promise((_resolve, reject) => {
    const heartbeat = setInterval(() => Context.current().heartbeat(), 100);
    signal.addEventListener('abort', () => {
      clearInterval(heartbeat);
      reject(new CancelledFailure('cancelled'));
    });
  });

/** The store as workflows see it: which shards are left, which ended and how. */
export class Backlog {
  readonly left = new Set<ShardId>();
  readonly done: ShardId[] = [];
  readonly failed = new Map<ShardId, { code: string; attempts: number }>();
  readonly attempts = new Map<ShardId, number>();
  end: SweepEndState | null = null;
  inFlight = 0;
  mostInFlight = 0;

  constructor(
    count: number,
    private readonly behaviour: (shard: ShardId) => Behaviour,
  ) {
    this.add(count);
  }

  add(count: number): void {
    const from = this.left.size + this.done.length;
    for (let index = from; index < from + count; index += 1) this.left.add(`shard-${String(index).padStart(4, '0')}` as ShardId);
  }

  readonly control: ControlActivities = {
    nextShards: ({ limit, except }) => Promise.resolve([...this.left].filter((shard) => !except.includes(shard)).slice(0, limit)),
    goneShards: ({ open }) => Promise.resolve(open.filter((shard) => !this.left.has(shard))),
    failShard: ({ shard, code, attempts }) => {
      this.left.delete(shard);
      this.failed.set(shard, { code, attempts });
      return Promise.resolve();
    },
    finishSweep: ({ state }) => {
      this.end = state ?? (this.failed.size > 0 || this.left.size > 0 ? 'incomplete' : 'done');
      return Promise.resolve(this.end);
    },
  };

  readonly evaluate: EvaluateActivities = {
    evaluateShard: async ({ shard }) => {
      const attempt = (this.attempts.get(shard) ?? 0) + 1;
      this.attempts.set(shard, attempt);
      this.inFlight += 1;
      this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
      try {
        await this.behaviour(shard)(attempt, Context.current().cancellationSignal);
        this.left.delete(shard);
        this.done.push(shard);
        return { cells: 1 };
      } finally {
        this.inFlight -= 1;
      }
    },
  };
}

export interface Bench {
  readonly client: Client;
  /** Runs a worker over the backlog while `work` lasts. */
  withWorker<Result>(backlog: Backlog, work: () => Promise<Result>): Promise<Result>;
  start(sweep: string, input?: Partial<SweepInput>): Promise<SweepEnd>;
  close(): Promise<void>;
}

export const workflowBundle = (): { code: string } => ({ code: readFileSync(packageFile('dist', 'workflows', 'bundle.cjs'), 'utf8') });

export async function openBench(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'ropesweep-temporal-'));
  const server = await startTemporal({
    binary: await sharedTemporal(),
    databaseFile: join(folder, 'temporal.db'),
    port: await getPort(),
    uiPort: await getPort(),
    logFile: join(folder, 'temporal.log'),
  });
  const connection = await Connection.connect({ address: server.address });
  const native = await NativeConnection.connect({ address: server.address });
  const client = new Client({ connection });
  return {
    client,
    withWorker: async (backlog, work) => {
      const common = { connection: native, shutdownForceTime: 5_000 };
      const control = await Worker.create({ ...common, taskQueue: CONTROL_QUEUE, workflowBundle: workflowBundle(), activities: backlog.control });
      const evaluation = await Worker.create({ ...common, taskQueue: QUEUE, activities: backlog.evaluate, maxConcurrentActivityTaskExecutions: 50, maxHeartbeatThrottleInterval: 200, defaultHeartbeatThrottleInterval: 200 });
      return control.runUntil(evaluation.runUntil(work));
    },
    start: (sweep, input = {}) =>
      client.workflow
        .signalWithStart('sweepWorkflow', {
          workflowId: sweepWorkflowId(sweep as SweepId),
          taskQueue: CONTROL_QUEUE,
          signal: SIGNALS.extend,
          signalArgs: [],
          args: [{ sweep: sweep as SweepId, concurrency: 4, evaluationQueue: QUEUE, maximumAttempts: 3, reconcileSeconds: 2, ...input }],
        })
        .then((handle) => handle.result() as Promise<SweepEnd>),
    close: async () => {
      await native.close();
      await connection.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
