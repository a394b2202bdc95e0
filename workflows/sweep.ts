/**
 * sweepWorkflow: a bounded window of shard workflows over the store's backlog, without a barrier.
 *
 * The backlog stays in PostgreSQL; only the window is in Temporal, so history grows with shards, not with cells, and
 * continue-as-new carries nothing but the ids in flight. Children are abandoned on purpose: they must outlive a
 * continue-as-new, and a cancel is passed on by hand. Each reports its end by a signal; because a signal can be lost
 * with its child, a reconcile timer compares the window with the store and with Temporal.
 */
import {
  CancellationScope,
  ParentClosePolicy,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  proxyActivities,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import type { ControlActivities } from '../activities/control.js';
import type { ShardId } from '../domain/ids.js';
import { shardWorkflowId, type SweepEnd, type SweepInput } from '../domain/orchestration.js';
import type { SweepEndState } from '../domain/states.js';
import { shardWorkflow } from './shard.js';
import { extend, shardEnded } from './signals.js';

const { nextShards, goneShards, finishSweep } = proxyActivities<ControlActivities>({ startToCloseTimeout: '1 minute' });

/** How long a cancelled sweep waits for its slots to be killed and their shards handed back. */
const CANCEL_GRACE_MS = 60_000;

/** The shards in flight, and whether the store may hold more to start. */
interface Window {
  readonly open: Set<ShardId>;
  backlog: boolean;
}

export async function sweepWorkflow(input: SweepInput): Promise<SweepEnd> {
  const window: Window = { open: new Set(input.open), backlog: true };
  setHandler(shardEnded, ({ shard }) => {
    window.open.delete(shard);
  });
  setHandler(extend, () => {
    window.backlog = true;
  });

  try {
    for (;;) {
      await drainBacklog(input, window);
      const state = await finishSweep({ sweep: input.sweep, state: null });
      // A bigger revision may have been submitted while the end was written: then the sweep goes on.
      if (!window.backlog) return { state };
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return { state: await CancellationScope.nonCancellable(() => cancelled(input, window.open)) };
  }
}

/** Returns when the store has nothing more to start and the window is empty. */
async function drainBacklog(input: SweepInput, window: Window): Promise<void> {
  const { open } = window;
  let page: ShardId[] = [];
  while (window.backlog || page.length > 0 || open.size > 0) {
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof sweepWorkflow>({ ...input, open: [...open] });
    }
    if (window.backlog && page.length === 0 && open.size < input.concurrency) {
      window.backlog = false;
      // Two windows at once: a page costs as much history as a shard.
      page = await nextShards({ sweep: input.sweep, limit: 2 * input.concurrency, except: [...open] });
      window.backlog ||= page.length > 0;
    }
    const starting = page.splice(0, input.concurrency - open.size).filter((shard) => !open.has(shard));
    await Promise.all(starting.map((shard) => start(input, shard, open)));
    if (starting.length === 0 && open.size > 0) await waitForRoom(input, window, page.length);
  }
}

/** Sleeps until a shard ends or there is room for a new page; on the reconcile timer, drops shards nothing works on. */
async function waitForRoom(input: SweepInput, window: Window, waiting: number): Promise<void> {
  const { open } = window;
  const before = open.size;
  const room = (): boolean => window.backlog && waiting === 0 && open.size < input.concurrency;
  if (await condition(() => open.size < before || room(), input.reconcileSeconds * 1000)) return;
  const gone = await goneShards({ sweep: input.sweep, open: [...open] });
  for (const shard of gone) open.delete(shard);
  if (gone.length === 0) return;
  window.backlog = true;
  log.warn('shards left the window without reporting their end', { gone });
}

async function start(input: SweepInput, shard: ShardId, open: Set<ShardId>): Promise<void> {
  open.add(shard);
  try {
    await startChild(shardWorkflow, {
      workflowId: shardWorkflowId(input.sweep, shard),
      parentClosePolicy: ParentClosePolicy.ABANDON,
      args: [{ sweep: input.sweep, shard, evaluationQueue: input.evaluationQueue, maximumAttempts: input.maximumAttempts }],
    });
  } catch (error) {
    // A child of a run before this one still works on it: it reports to the same workflow id.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

async function cancelled(input: SweepInput, open: Set<ShardId>): Promise<SweepEndState> {
  await Promise.all(
    [...open].map(async (shard) => {
      try {
        await getExternalWorkflowHandle(shardWorkflowId(input.sweep, shard)).cancel();
      } catch (error) {
        log.warn('a shard could not be cancelled', { shard, error: String(error) });
        open.delete(shard);
      }
    }),
  );
  await condition(() => open.size === 0, CANCEL_GRACE_MS);
  return finishSweep({ sweep: input.sweep, state: 'cancelled' });
}
