/**
 * shardWorkflow: one shard from start to reported end. It alone owns retries, by class of failure:
 *
 * | failure | counted | then |
 * | --- | --- | --- |
 * | SLOT_CRASHED, SLOT_SILENT, FINGERPRINT_MIXED, anything unknown | yes | again after a backoff; after `maximumAttempts` what is left is quarantined |
 * | worker lost (heartbeat timeout), draining, STORE_LOST, DISK_FULL, LEASE_LOST | no | again after a backoff |
 * | bad input and mismatches (not retryable) | - | quarantined at once with the reason |
 *
 * Uncounted retries are bounded too, so that no shard can go round for ever without a person hearing of it.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  TimeoutFailure,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  proxyActivities,
  sleep,
} from '@temporalio/workflow';
import type { ControlActivities } from '../activities/control.js';
import type { EvaluateActivities } from '../activities/evaluate.js';
import { CONTROL_QUEUE, FAILURES, HEARTBEAT, sweepWorkflowId, type ShardEnd, type ShardInput } from '../domain/orchestration.js';
import { shardEnded } from './signals.js';

const MAXIMUM_UNCOUNTED = 200;

interface Failure {
  readonly code: string;
  readonly reason: string;
  /** again = uncounted retry. */
  readonly verdict: 'counted' | 'again' | 'quarantine';
}

function classify(error: unknown): Failure {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (cause instanceof TimeoutFailure) return { code: 'WORKER_LOST', reason: cause.message, verdict: 'again' };
  if (cause instanceof ApplicationFailure) {
    const code = cause.type ?? 'INTERNAL';
    const reason = cause.message;
    switch (code) {
      // The shard was superseded, or an attempt that was given up wrote late: the next lease says which.
      case FAILURES.leaseLost:
      case FAILURES.draining:
      case FAILURES.storeLost:
      case FAILURES.diskFull:
        return { code, reason, verdict: 'again' };
      default:
        return { code, reason, verdict: cause.nonRetryable === true ? 'quarantine' : 'counted' };
    }
  }
  return { code: 'INTERNAL', reason: error instanceof Error ? error.message : String(error), verdict: 'counted' };
}

const { failShard } = proxyActivities<ControlActivities>({ taskQueue: CONTROL_QUEUE, startToCloseTimeout: '1 minute' });

export async function shardWorkflow(input: ShardInput): Promise<ShardEnd> {
  let state: ShardEnd['state'] = 'cancelled';
  try {
    state = await evaluateWithRetries(input);
  } catch (error) {
    if (!isCancellation(error)) throw error;
  }
  const end: ShardEnd = { shard: input.shard, state };
  await CancellationScope.nonCancellable(() => report(input, end));
  return end;
}

async function evaluateWithRetries(input: ShardInput): Promise<ShardEnd['state']> {
  const { evaluateShard } = proxyActivities<EvaluateActivities>({
    taskQueue: input.evaluationQueue,
    heartbeatTimeout: HEARTBEAT.timeoutMs,
    // The real bound is the slot's phase deadline; this one only ends a worker that lies about being alive.
    startToCloseTimeout: '7 days',
    retry: { maximumAttempts: 1 },
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  });
  let counted = 0;
  for (let tried = 1; ; tried += 1) {
    try {
      await evaluateShard({ shard: input.shard });
      return 'done';
    } catch (error) {
      if (isCancellation(error)) throw error;
      const failure = classify(error);
      if (failure.verdict === 'counted') counted += 1;
      log.warn('an attempt of the shard failed', { shard: input.shard, code: failure.code, reason: failure.reason, counted });
      if (failure.verdict === 'quarantine' || counted >= input.maximumAttempts || tried >= MAXIMUM_UNCOUNTED) {
        await failShard({ shard: input.shard, code: failure.code, reason: failure.reason, attempts: tried });
        return 'failed';
      }
      await sleep(Math.min(30_000, 250 * 2 ** Math.min(tried, 7)));
    }
  }
}

/** By workflow id alone, so that the signal reaches the sweep's newest run; a sweep that is gone reads the store. */
async function report(input: ShardInput, end: ShardEnd): Promise<void> {
  try {
    await getExternalWorkflowHandle(sweepWorkflowId(input.sweep)).signal(shardEnded, end);
  } catch (error) {
    log.warn('the sweep could not be told that a shard ended', { error: String(error) });
  }
}
