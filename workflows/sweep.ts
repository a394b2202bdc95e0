/**
 * sweepWorkflow: a bounded window of shard workflows over the store's backlog, without a barrier.
 *
 * The backlog stays in PostgreSQL; only the window is in Temporal, so history grows with shards, not with cells, and
 * continue-as-new carries nothing but the ids in flight. Children are abandoned on purpose: they must outlive a
 * continue-as-new, and a cancel is passed on by hand. Each reports its end by a signal; because a signal can be lost
 * with its child, a reconcile timer compares the window with the store and with Temporal.
 *
 * What a person wants of the sweep (pause, stop, cancel, another concurrency or priority) is written to the store; the
 * signal `news` only says that it is worth a look. So a verb that came while Temporal was away is obeyed too.
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
import { shardWorkflowId, type ShardStart, type SweepControl, type SweepEnd, type SweepInput } from '../domain/orchestration.js';
import { isEnded, type SweepEndState } from '../domain/states.js';
import { shardWorkflow } from './shard.js';
import { news, shardEnded, sweepSituation } from './signals.js';
import { Window } from './window.js';

const { nextShards, goneShards, prioritise, finishSweep } = proxyActivities<ControlActivities>({ startToCloseTimeout: '1 minute' });

/** How long a cancelled sweep waits for its slots to be killed and their shards handed back. */
const CANCEL_GRACE_MS = 60_000;
/** After so long it looks which of them nothing works on any more: those tell nobody. */
const CANCEL_LOOK_MS = 3_000;
/** A paused sweep that nobody resumes looks at the store this often. */
const PAUSED_LOOK_MS = 600_000;

/** How the window came to its end; state null: where the cells put it. */
interface Verdict {
  readonly state: SweepEndState | null;
  readonly reason: string | null;
}

export async function sweepWorkflow(input: SweepInput): Promise<SweepEnd> {
  let window = new Window(input.open);
  setHandler(shardEnded, (end) => window.ended(end));
  setHandler(news, () => window.tell());
  setHandler(sweepSituation, () => ({ control: window.control, open: [...window.open], canaries: window.pendingCanaries }));

  try {
    for (;;) {
      const verdict = await work(input, window);
      const told = window.timesTold;
      const state = 'ended' in verdict ? verdict.ended : await finishSweep({ sweep: input.sweep, ...verdict });
      // More may have been submitted before the end was written, or while it was: then the sweep goes on.
      if (state !== null && window.timesTold === told) return { state };
      window = new Window(window.open);
    }
  } catch (error) {
    if (!isCancellation(error)) throw error;
    return { state: await CancellationScope.nonCancellable(() => cancelled(input, window)) };
  }
}

/** Keeps the window full until the sweep has come to an end, or somebody else has ended it. */
async function work(input: SweepInput, window: Window): Promise<Verdict | { readonly ended: SweepEndState }> {
  for (;;) {
    if (workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof sweepWorkflow>({ ...input, open: [...window.open] });
    }
    if (window.wantsPage) await look(input, window);
    const { control } = window;
    if (control !== null && isEnded(control.state) && !window.news) return { ended: control.state };
    if (control?.state === 'cancelling') return { ended: await cancelled(input, window) };
    if (window.commonFailure !== null) return canariesFailed(window);
    const starting = window.start();
    if (starting.length > 0) await Promise.all(starting.map((shard) => start(input, shard, window)));
    else if (window.open.size > 0) await waitForChange(input, window);
    else {
      const verdict = atRest(window);
      if (verdict !== null) return verdict;
      if (control?.state === 'paused' && !(await condition(() => window.news, PAUSED_LOOK_MS))) window.tell();
    }
  }
}

/** What is to become of a sweep with nothing in flight; null: it goes on. */
function atRest({ control, drained, news: unread }: Window): Verdict | null {
  if (control === null || unread) return null;
  if (control.state === 'stopping') return { state: 'stopped', reason: null };
  if (control.spent !== null) return { state: 'incomplete', reason: control.spent };
  return drained && control.state === 'running' ? { state: null, reason: null } : null;
}

function canariesFailed({ commonFailure }: Window): Verdict {
  return { state: 'incomplete', reason: `the cheapest and the dearest shard failed alike: ${commonFailure?.reason ?? ''} (${commonFailure?.code ?? ''}); nothing else was started` };
}

async function look(input: SweepInput, window: Window): Promise<void> {
  window.news = false;
  const before = window.control;
  window.take(await nextShards({ sweep: input.sweep, except: [...window.open] }));
  const priority = window.control?.priority;
  // Those that wait in a queue were put there with the priority of their time.
  if (before !== null && priority !== undefined && before.priority !== priority && window.open.size > 0) {
    await prioritise({ sweep: input.sweep, open: [...window.open], priority });
  }
}

/** Sleeps until a shard ends, there is news or room; on the reconcile timer, drops shards nothing works on. */
async function waitForChange(input: SweepInput, window: Window): Promise<void> {
  const before = window.open.size;
  if (await condition(() => window.open.size < before || window.wantsPage, input.reconcileSeconds * 1000)) return;
  const gone = await goneShards({ sweep: input.sweep, open: [...window.open] });
  window.drop(gone);
  if (gone.length > 0) log.warn('shards left the window without reporting their end', { gone });
}

async function start({ sweep }: SweepInput, shard: ShardStart, { control }: Window): Promise<void> {
  const { maximumAttempts, priority } = control as SweepControl;
  try {
    await startChild(shardWorkflow, {
      workflowId: shardWorkflowId(sweep, shard.shard),
      parentClosePolicy: ParentClosePolicy.ABANDON,
      priority: { priorityKey: priority, fairnessKey: sweep },
      args: [{ sweep, ...shard, maximumAttempts, priority }],
    });
  } catch (error) {
    // A child of a run before this one still works on it: it reports to the same workflow id.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

async function cancelled({ sweep }: SweepInput, { open }: Window): Promise<SweepEndState> {
  await Promise.all(
    [...open].map(async (shard) => {
      try {
        await getExternalWorkflowHandle(shardWorkflowId(sweep, shard)).cancel();
      } catch (error) {
        log.warn('a shard could not be cancelled', { shard, error: String(error) });
        open.delete(shard);
      }
    }),
  );
  if (!(await condition(() => open.size === 0, CANCEL_LOOK_MS))) {
    for (const shard of await goneShards({ sweep, open: [...open] })) open.delete(shard);
    await condition(() => open.size === 0, CANCEL_GRACE_MS);
  }
  return (await finishSweep({ sweep, state: 'cancelled', reason: null })) ?? 'cancelled';
}
