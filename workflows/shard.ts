/**
 * shardWorkflow: one shard from start to reported end. It alone owns retries, by class of failure:
 *
 * | failure | counted | then |
 * | --- | --- | --- |
 * | SLOT_CRASHED, SLOT_SILENT | yes | once more as it is; then cut in two, until the cell that kills the slot is alone and quarantined |
 * | FINGERPRINT_MIXED, anything unknown | yes | again after a backoff; after `maximumAttempts` what is left is quarantined |
 * | worker lost (a neighbour said so, or heartbeat timeout), draining, STORE_LOST, DISK_FULL, LEASE_LOST | no | again after a backoff |
 * | bad input and mismatches (not retryable) | - | quarantined at once with the reason |
 *
 * Uncounted retries are bounded too, so that no shard can go round for ever without a person hearing of it.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  TimeoutFailure,
  isCancellation,
  log,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import type { ControlActivities } from '../activities/control.js';
import type { EvaluateActivities } from '../activities/evaluate.js';
import { CONTROL_QUEUE, FAILURES, HEARTBEAT, type Failure, type ShardEnd, type ShardInput, type ShardSituation } from '../domain/orchestration.js';
import { shardSituation } from './signals.js';

const MAXIMUM_UNCOUNTED = 200;
const LONGEST_BACKOFF_MS = 30_000;
/** The worker is gone or newer than this attempt: the next one that has a slot free may have the shard soon. */
const ELSEWHERE: readonly string[] = [FAILURES.workerLost, FAILURES.draining, FAILURES.leaseLost];
const LONGEST_WAIT_FOR_ANOTHER_MS = 2_000;
/** So often a shard may kill its slot before it is cut in two: once may be bad luck. */
const CRASHES_BEFORE_SPLIT = 2;

interface Classified extends Failure {
  /** again = uncounted retry. */
  readonly verdict: 'counted' | 'crash' | 'again' | 'quarantine';
}

function classify(error: unknown): Classified {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) return { code: FAILURES.workerLost, reason: cause.message, verdict: 'again' };
  if (cause instanceof ApplicationFailure) {
    const code = cause.type ?? 'INTERNAL';
    const reason = cause.message;
    switch (code) {
      // The shard was superseded, or an attempt that was given up wrote late: the next lease says which.
      case FAILURES.leaseLost:
      case FAILURES.draining:
      case FAILURES.workerLost:
      case FAILURES.storeLost:
      case FAILURES.diskFull:
        return { code, reason, verdict: 'again' };
      case FAILURES.slotCrashed:
      case FAILURES.slotSilent:
        return { code, reason, verdict: 'crash' };
      default:
        return { code, reason, verdict: cause.nonRetryable === true ? 'quarantine' : 'counted' };
    }
  }
  return { code: 'INTERNAL', reason: error instanceof Error ? error.message : String(error), verdict: 'counted' };
}

const { failShard, splitShard } = proxyActivities<ControlActivities>({ taskQueue: CONTROL_QUEUE, startToCloseTimeout: '1 minute' });
/** Local: a signal of the workflow's own would take a workflow task more, to hear that it was sent. For longer than a server takes none (10 s were seen). */
const { reportShard } = proxyLocalActivities<ControlActivities>({ startToCloseTimeout: '10 seconds', retry: { initialInterval: '100 milliseconds', maximumInterval: '1 second', maximumAttempts: 30 } });

export async function shardWorkflow(input: ShardInput): Promise<ShardEnd> {
  let situation: ShardSituation = { shard: input.shard, phase: 'evaluating', untilMs: null, tried: 0, failure: null };
  const say = (change: Partial<ShardSituation>): void => {
    situation = { ...situation, ...change };
  };
  setHandler(shardSituation, () => situation);
  const tell = (end: ShardEnd): Promise<void> => CancellationScope.nonCancellable(() => report(input, end));
  let end: ShardEnd = { shard: input.shard, state: 'cancelled', failure: null };
  try {
    end = { shard: input.shard, ...(await evaluateWithRetries(input, say)) };
  } catch (error) {
    if (!isCancellation(error)) {
      // The store does not have the shard any more, or not as it was: the sweep is not to wait for it.
      const { code, reason } = classify(error);
      await tell({ shard: input.shard, state: 'failed', failure: { code, reason } });
      throw error;
    }
  }
  say({ phase: 'ending', untilMs: null });
  await tell(end);
  return end;
}

async function evaluateWithRetries(input: ShardInput, say: (change: Partial<ShardSituation>) => void): Promise<Omit<ShardEnd, 'shard'>> {
  const { shard, sweep, priority } = input;
  const onQueue = (taskQueue: string, scheduleToStartTimeout?: number) =>
    proxyActivities<EvaluateActivities>({
      taskQueue,
      priority: { priorityKey: priority, fairnessKey: sweep },
      heartbeatTimeout: HEARTBEAT.timeoutMs,
      // The real bound is the slot's phase deadline; this one only ends a worker that lies about being alive.
      startToCloseTimeout: '7 days',
      ...(scheduleToStartTimeout !== undefined && { scheduleToStartTimeout }),
      retry: { maximumAttempts: 1 },
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    });
  const ofClass = onQueue(input.evaluationQueue);
  let next = ofClass;
  // Once a worker may pass it on to one that holds the checkpoint, which is not waited for for long.
  let passedOn = false;
  const crashesAllowed = Math.min(CRASHES_BEFORE_SPLIT, input.maximumAttempts);
  let counted = 0;
  let crashes = 0;
  let tried = 0;
  for (;;) {
    try {
      const { failure, handedOn, elsewhere } = await next.evaluateShard({ shard, passedOn });
      if (elsewhere === undefined) return { state: handedOn ? 'split' : 'done', failure };
      passedOn = true;
      next = onQueue(elsewhere.queue, elsewhere.waitMs);
    } catch (error) {
      if (isCancellation(error)) throw error;
      next = ofClass;
      if (foundNoSlot(error)) continue;
      tried += 1;
      const { code, reason, verdict } = classify(error);
      const failure = { code, reason };
      if (verdict === 'counted' || verdict === 'crash') counted += 1;
      if (verdict === 'crash') crashes += 1;
      log.warn('an attempt of the shard failed', { shard, code, reason, counted });
      if (verdict === 'crash' && input.crashes + crashes >= crashesAllowed) {
        const { parts } = await splitShard({ shard, crashes });
        if (parts > 0) return { state: 'split', failure };
      }
      // The shards that a cell was cut out of have been its first attempts.
      const last = verdict === 'crash' && input.crashes > 0 ? crashesAllowed : input.maximumAttempts;
      if (verdict === 'quarantine' || counted >= last || tried >= MAXIMUM_UNCOUNTED) {
        await failShard({ shard, code, reason, attempts: input.crashes + tried });
        return { state: 'failed', failure };
      }
      const backoffMs = Math.min(ELSEWHERE.includes(code) ? LONGEST_WAIT_FOR_ANOTHER_MS : LONGEST_BACKOFF_MS, 250 * 2 ** Math.min(tried, 7));
      say({ phase: 'backing off', untilMs: Date.now() + backoffMs, tried, failure });
      await sleep(backoffMs);
      say({ phase: 'evaluating', untilMs: null });
    }
  }
}

/** The worker that was asked did not take the task in time, or had no slot for it: no attempt was made. */
function foundNoSlot(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) return cause.timeoutType === 'SCHEDULE_TO_START';
  return cause instanceof ApplicationFailure && cause.type === FAILURES.slotsBusy;
}

/** A sweep that was not told reads the store, on its reconcile timer. */
async function report(input: ShardInput, end: ShardEnd): Promise<void> {
  try {
    await reportShard({ sweep: input.sweep, end });
  } catch (error) {
    log.warn('the sweep could not be told that a shard ended', { error: String(error) });
  }
}
