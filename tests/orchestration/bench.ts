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
import { CONTROL_QUEUE, SIGNALS, sweepWorkflowId, type Elsewhere, type ShardStart, type SweepControl, type SweepEnd, type SweepInput } from '../../domain/orchestration.js';
import type { SweepEndState } from '../../domain/states.js';
import { startTemporal } from '../../infra/embedded/temporal.js';
import { packageFile } from '../../infra/packageRoot.js';
import { temporalExecutions } from '../../worker/executions.js';
import { sharedTemporal } from '../infra/sharedTemporal.js';

Runtime.install({ logger: new DefaultLogger('ERROR') });

export const QUEUE = 'test-evaluate';
/** Of the larger device class, where a backlog has one. */
export const LARGER_QUEUE = 'test-evaluate-larger';

/** What a shard does when it is evaluated: ends, or throws what evaluateShard would throw. */
export type Behaviour = (attempt: number, signal: AbortSignal) => Promise<unknown>;

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

/** The store as workflows see it: which shards are left, which ended and how, and what a person wants. */
export class Backlog {
  readonly left = new Set<ShardId>();
  readonly done: ShardId[] = [];
  readonly failed = new Map<ShardId, { code: string; attempts: number }>();
  readonly attempts = new Map<ShardId, number>();
  /** Cells that a split would share out; 1 where none are named. */
  readonly cells = new Map<ShardId, number>();
  readonly crashes = new Map<ShardId, number>();
  readonly prioritised: number[] = [];
  /** Shards whose cells go on into another one, which is of the larger device class. */
  readonly handsOn = new Map<ShardId, ShardId>();
  control: SweepControl = { state: 'running', concurrency: 4, priority: 3, maximumAttempts: 3, spent: null };
  /** Where the first worker that is given a shard passes it on to. */
  elsewhere: Elsewhere | null = null;
  /** Shards to try before all others. */
  canaries: ShardId[] = [];
  end: SweepEndState | null = null;
  reason: string | null = null;
  inFlight = 0;
  mostInFlight = 0;

  constructor(
    count: number,
    private readonly behaviour: (shard: ShardId) => Behaviour,
    control: Partial<SweepControl> = {},
  ) {
    this.control = { ...this.control, ...control };
    this.add(count);
  }

  add(count: number): void {
    this.control = { ...this.control, state: 'running' };
    const from = this.left.size + this.done.length;
    for (let index = from; index < from + count; index += 1) this.left.add(`shard-${String(index).padStart(4, '0')}` as ShardId);
  }

  private isLarger(shard: ShardId): boolean {
    return [...this.handsOn.values()].includes(shard);
  }

  /** As the store makes it. */
  private page(except: readonly ShardId[]): ShardId[] {
    const { concurrency } = this.control;
    const open = [...this.left].filter((shard) => !except.includes(shard));
    return [true, false].flatMap((larger) => open.filter((shard) => this.isLarger(shard) === larger).slice(0, 2 * concurrency));
  }

  readonly activities: Omit<ControlActivities, 'reportShard'> = {
    nextShards: ({ except }) => {
      const { control } = this;
      const canaries = this.canaries.splice(0);
      const open = canaries.length > 0 ? canaries : this.page(except);
      const start = (shard: ShardId): ShardStart => ({ shard, evaluationQueue: this.isLarger(shard) ? LARGER_QUEUE : QUEUE, crashes: this.crashes.get(shard) ?? 0 });
      return Promise.resolve({ control, shards: control.state === 'running' && control.spent === null ? open.map(start) : [], canary: canaries.length > 0 });
    },
    goneShards: ({ open }) => Promise.resolve(open.filter((shard) => !this.left.has(shard))),
    prioritise: ({ priority }) => {
      this.prioritised.push(priority);
      return Promise.resolve();
    },
    splitShard: ({ shard, crashes }) => {
      const cells = this.cells.get(shard) ?? 1;
      if (cells < 2) return Promise.resolve({ parts: 0 });
      this.left.delete(shard);
      for (const [half, count] of [[`${shard}a`, Math.ceil(cells / 2)], [`${shard}b`, Math.floor(cells / 2)]] as const) {
        this.left.add(half as ShardId);
        this.cells.set(half as ShardId, count);
        this.crashes.set(half as ShardId, (this.crashes.get(shard) ?? 0) + crashes);
      }
      return Promise.resolve({ parts: 2 });
    },
    failShard: ({ shard, code, attempts }) => {
      this.left.delete(shard);
      this.failed.set(shard, { code, attempts });
      return Promise.resolve();
    },
    finishSweep: ({ state, reason }) => {
      this.end = state ?? (this.failed.size > 0 || this.left.size > 0 ? 'incomplete' : 'done');
      this.reason = reason;
      this.control = { ...this.control, state: this.end };
      return Promise.resolve(this.end);
    },
  };

  readonly evaluate: EvaluateActivities = {
    evaluateShard: async ({ shard, passedOn }) => {
      if (this.elsewhere !== null && !passedOn) return { cells: 0, failure: null, handedOn: false, elsewhere: this.elsewhere };
      if (this.control.state !== 'running') return { cells: 0, failure: null, handedOn: true };
      const attempt = (this.attempts.get(shard) ?? 0) + 1;
      this.attempts.set(shard, attempt);
      this.inFlight += 1;
      this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
      try {
        await this.behaviour(shard)(attempt, Context.current().cancellationSignal);
        this.left.delete(shard);
        this.done.push(shard);
        const next = this.handsOn.get(shard);
        if (next !== undefined) this.left.add(next);
        return { cells: 1, failure: null, handedOn: next !== undefined };
      } finally {
        this.inFlight -= 1;
      }
    },
  };
}

export interface Bench {
  readonly client: Client;
  /** Runs a worker over the backlog while `work` lasts. */
  /** Says that the store has news. */
  tell(sweep: string): Promise<void>;
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
  const executions = temporalExecutions(client);
  return {
    client,
    withWorker: async (backlog, work) => {
      const common = { connection: native, shutdownForceTime: 5_000 };
      const reportShard: ControlActivities['reportShard'] = ({ sweep, end }) => executions.shardEnded(sweepWorkflowId(sweep), end);
      const control = await Worker.create({ ...common, taskQueue: CONTROL_QUEUE, workflowBundle: workflowBundle(), activities: { ...backlog.activities, reportShard } });
      const evaluates = (taskQueue: string): Promise<Worker> =>
        Worker.create({ ...common, taskQueue, activities: backlog.evaluate, maxConcurrentActivityTaskExecutions: 50, maxHeartbeatThrottleInterval: 200, defaultHeartbeatThrottleInterval: 200 });
      const own = await evaluates(QUEUE);
      if (backlog.handsOn.size === 0) return control.runUntil(own.runUntil(work));
      const larger = await evaluates(LARGER_QUEUE);
      return control.runUntil(own.runUntil(larger.runUntil(work)));
    },
    start: (sweep, input = {}) =>
      client.workflow
        .signalWithStart('sweepWorkflow', {
          workflowId: sweepWorkflowId(sweep as SweepId),
          taskQueue: CONTROL_QUEUE,
          signal: SIGNALS.news,
          signalArgs: [],
          args: [{ sweep: sweep as SweepId, reconcileSeconds: 2, ...input }],
        })
        .then((handle) => handle.result() as Promise<SweepEnd>),
    tell: (sweep) => client.workflow.getHandle(sweepWorkflowId(sweep as SweepId)).signal(SIGNALS.news),
    close: async () => {
      await native.close();
      await connection.close();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
