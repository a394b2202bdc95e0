/**
 * evaluateShard: leases a shard, has a slot evaluate it, writes results as they come.
 *
 * It runs once (maximumAttempts 1): the shard's workflow owns retries, because they depend on what went wrong.
 * The slot's child process is synchronous while it computes, so this process heartbeats for it; a silent child is
 * killed by the slot pool past the deadline of its phase, a cancelled activity kills its child.
 */
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import pRetry from 'p-retry';
import { RopesweepError, type ErrorCode } from '../domain/errors.js';
import type { ShardId } from '../domain/ids.js';
import type { CellResult } from '../domain/measurement.js';
import { FAILURES, HEARTBEAT, SLOT_WAIT_MS, type Elsewhere, type Failure } from '../domain/orchestration.js';
import type { Lease, Place, SlotPool, Store } from '../domain/ports.js';
import type { ShardJob } from '../domain/slot.js';
import { toFailure } from './failures.js';

export interface EvaluatePorts {
  readonly store: Store;
  readonly slots: SlotPool;
  /** @throws RopesweepError WEIGHTS_MISMATCH, CHECKPOINT_* when the folder does not hold the weights of the plan. */
  readonly verifyWeights: (checkpoint: ShardJob['checkpoint']) => Promise<void>;
}

/** Results wait at most this long before they are written: what a kill -9 of the worker can lose. */
const WRITE_EVERY_MS = 500;

export function evaluateActivities(ports: EvaluatePorts) {
  return {
    /** @param input passedOn: it was passed on before, and is evaluated wherever it has come to */
    evaluateShard: async (input: { shard: ShardId; passedOn: boolean }): Promise<Evaluated> => {
      const context = Context.current();
      const heartbeat = setInterval(() => context.heartbeat(), HEARTBEAT.everyMs);
      try {
        return await evaluate(ports, input, context.cancellationSignal);
      } catch (error) {
        if (context.cancellationSignal.aborted) throw endedBy(context.cancellationSignal.reason);
        throw toFailure(error);
      } finally {
        clearInterval(heartbeat);
      }
    },
  };
}

export type EvaluateActivities = ReturnType<typeof evaluateActivities>;

interface Evaluated {
  readonly cells: number;
  /** What every cell failed of; null where one has numbers or goes on elsewhere. */
  readonly failure: Failure | null;
  /** Nothing was evaluated here: this worker had better have it. */
  readonly elsewhere?: Elsewhere;
  /** The store may have new shards with cells of this one: some went on to another device class, or nobody knows. */
  readonly handedOn: boolean;
}

/** A lease is taken only with a slot at hand. */
async function evaluate(ports: EvaluatePorts, { shard, passedOn }: { shard: ShardId; passedOn: boolean }, signal: AbortSignal): Promise<Evaluated> {
  const release = await ports.slots.reserve(SLOT_WAIT_MS, signal);
  if (release === null) throw ApplicationFailure.create({ type: FAILURES.slotsBusy, message: 'all slots of the worker are busy' });
  try {
    const { store, slots } = ports;
    const elsewhere = passedOn ? null : await untilStoreIsBack(() => store.heldElsewhere(shard, slots.place, slots.idleCheckpoints), signal);
    if (elsewhere !== null) return { cells: 0, failure: null, handedOn: false, elsewhere };
    return await evaluateOnSlot(ports, shard, signal);
  } finally {
    release();
  }
}

async function evaluateOnSlot({ store, slots, verifyWeights }: EvaluatePorts, shard: ShardId, signal: AbortSignal): Promise<Evaluated> {
  const leased = await untilStoreIsBack(() => store.lease(shard, slots.place), signal);
  // Whoever ended it may have died before it told how.
  if (leased === null) return { cells: 0, failure: null, handedOn: true };
  if (leased.job.cells.length === 0) {
    const handedOn = await untilStoreIsBack(() => store.finishShard(leased.lease, null, null), signal);
    return { cells: 0, failure: null, handedOn: handedOn > 0 };
  }
  const writer = new ResultWriter(store, slots.place, leased.lease, signal);
  const [stats, failure] = await settle(async () => {
    await verifyWeights(leased.job.checkpoint);
    // A write that is refused ends the job too: nobody would keep the rest of it.
    return slots.evaluate(leased.job, (message) => message.kind === 'cell' && writer.add(message.result), AbortSignal.any([signal, writer.refused]));
  });
  // Whatever ended the job, what was measured is kept, and the first thing that went wrong is the one that is told.
  const [, refusal] = await settle(() => writer.close());
  const told = refusal ?? failure;
  const [handedOn, unfinished] = await settle(() => untilStoreIsBack(() => store.finishShard(leased.lease, stats, told === null ? null : attemptFailure(told, signal)), signal));
  const first = told ?? unfinished;
  if (first !== null) throw first;
  const isHandedOn = handedOn !== null && handedOn > 0;
  return { cells: writer.written, failure: isHandedOn ? null : writer.commonFailure, handedOn: isHandedOn };
}

/** Why an attempt failed, as its row keeps it. */
function attemptFailure(error: Error, signal: AbortSignal): Failure {
  if (!signal.aborted) return { code: error instanceof RopesweepError ? error.code : 'INTERNAL', reason: error.message };
  const ending = endedBy(signal.reason);
  return { code: ending instanceof ApplicationFailure ? FAILURES.draining : 'CANCELLED', reason: ending.message };
}

async function settle<Result>(work: () => Promise<Result>): Promise<[Result, null] | [null, Error]> {
  try {
    return [await work(), null];
  } catch (error) {
    return [null, error instanceof Error ? error : new Error(String(error))];
  }
}

/** Collects results and writes them in batches, in order, one write at a time. */
class ResultWriter {
  written = 0;
  /** Of the cells so far: what they all failed of. */
  commonFailure: Failure | null = null;
  private results = 0;
  private waiting: CellResult[] = [];
  private writing: Promise<void> = Promise.resolve();
  private failure: Error | null = null;
  private readonly refusal = new AbortController();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly store: Store,
    private readonly place: Place,
    private readonly lease: Lease,
    private readonly signal: AbortSignal,
  ) {
    this.timer = setInterval(() => this.flush(), WRITE_EVERY_MS);
  }

  /** Aborted when a batch could not be written for good. */
  get refused(): AbortSignal {
    return this.refusal.signal;
  }

  add(result: CellResult): void {
    this.waiting.push(result);
    const failure = result.state === 'failed' || result.state === 'infeasible' ? { code: result.code, reason: result.reason } : null;
    this.commonFailure = failure !== null && (this.results === 0 || this.commonFailure?.code === failure.code) ? (this.commonFailure ?? failure) : null;
    this.results += 1;
  }

  /** Writes what is left. @throws what an earlier write threw. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    this.flush();
    await this.writing;
    if (this.failure !== null) throw this.failure;
  }

  private flush(): void {
    const batch = this.waiting;
    if (batch.length === 0 || this.failure !== null) return;
    this.waiting = [];
    this.writing = this.writing.then(async () => {
      try {
        await untilStoreIsBack(() => this.store.record(this.lease, this.place, batch), this.signal);
        this.written += batch.length;
      } catch (error) {
        this.failure ??= error instanceof Error ? error : new Error(String(error));
        this.refusal.abort(this.failure);
      }
    });
  }
}

/** The store will be back, or its disk will have room. */
const AWAY: readonly ErrorCode[] = ['STORE_LOST', 'DISK_FULL'];

/** A lost store is tried again until it is back; a cancelled activity tries for a few seconds more, then gives up. */
async function untilStoreIsBack<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  return pRetry(work, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 100,
    maxTimeout: 5_000,
    factor: 2,
    shouldRetry: ({ error, retriesConsumed }) =>
      error instanceof RopesweepError && AWAY.includes(error.code) && (!signal.aborted || retriesConsumed < 5),
  });
}

/** Draining hands the shard back; a cancel ends it. */
function endedBy(reason: unknown): Error {
  if (reason instanceof CancelledFailure && reason.message === 'WORKER_SHUTDOWN') {
    return ApplicationFailure.create({ type: FAILURES.draining, message: 'the worker was told to stop and handed the shard back' });
  }
  return reason instanceof CancelledFailure ? reason : new CancelledFailure('cancelled');
}
