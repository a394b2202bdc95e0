/**
 * Why a sweep gets on or does not, in sentences: the first is what a person is to act on.
 */
import type { ShardSituation, SweepSituation } from '../domain/orchestration.js';
import type { StoreSituation } from '../domain/ports.js';
import { isEnded } from '../domain/states.js';
import { duration } from './output.js';

/** Everything that was asked; null: nobody answered. */
export interface Evidence {
  readonly store: StoreSituation;
  /** What runs sweeps here: null where nothing does. */
  readonly temporal: {
    /** Whether the sweep's workflow runs; null while the server does not answer. */
    readonly running: boolean | null;
    readonly sweep: SweepSituation | null;
    readonly shards: readonly ShardSituation[];
    /** Queues that no worker polls. */
    readonly unattended: readonly string[];
  } | null;
  readonly nowMs: number;
}

export function explain({ store, temporal, nowMs }: Evidence): string[] {
  const { status } = store;
  const { sweep, state, reason, cells } = status;
  if (isEnded(state)) {
    const left = cells.planned > 0 ? `${String(cells.planned)} cells were not reached: run its file again, or ropesweep resume ${sweep} where something runs it` : 'every cell has an end';
    const failed = cells.failed + cells.infeasible > 0 ? [`${String(cells.failed)} cells failed and ${String(cells.infeasible)} did not fit: ropesweep status ${sweep} has their reasons, ropesweep retry ${sweep} tries them again`] : [];
    return [`${sweep} is ${state}${reason === null ? '' : `: ${reason}`}`, left, ...failed, ...again(store)];
  }
  if (temporal === null) return [`nothing runs ${sweep} now: the command that did has ended. Run its file again, or start ropesweep up and ropesweep resume ${sweep}`];
  if (temporal.running === null) return ['the Temporal server does not answer'];
  return [
    ...standstill(state, sweep),
    ...(temporal.running ? [] : [`its workflow does not run: run its file again, or ropesweep resume ${sweep}`]),
    ...temporal.unattended.map((queue) => `no worker polls ${queue} (ropesweep worker, with --control for ropesweep-control)`),
    ...missingWorkers(store),
    ...(temporal.sweep?.control?.spent == null ? [] : [temporal.sweep.control.spent]),
    ...canaries(temporal.sweep),
    ...temporal.shards.flatMap((shard) => backingOff(shard, nowMs)),
    ...queued(store, temporal.sweep),
    ...store.failures.map(({ code, attempts, reason: why }) => `${String(attempts)} attempts failed in the last minutes with ${code}: ${why ?? 'no reason is known'}`),
    ...again(store),
    ...(cells.planned === 0 ? ['every cell has an end; the sweep is about to end'] : [`${String(status.runningCells)} of ${String(cells.planned)} open cells are being evaluated by ${slots(store)}`]),
  ];
}

const again = ({ triedAgainBy }: StoreSituation): string[] => triedAgainBy.map(({ sweep, cells }) => `${sweep} is to try ${String(cells)} of the cells without numbers again`);

function standstill(state: string, sweep: string): string[] {
  if (state === 'paused') return [`it is paused: ropesweep resume ${sweep} goes on`];
  if (state === 'stopping') return ['it was told to stop: what is in flight goes on to its end'];
  return state === 'cancelling' ? ['it was cancelled: its slots are being killed'] : [];
}

const able = ({ workers }: StoreSituation, deviceClass: string) => workers.filter((worker) => worker.alive && worker.deviceClass === deviceClass && worker.state === 'ready' && worker.selfTest === 'passed');
const slots = (store: StoreSituation): string =>
  store.status.openClasses.map((deviceClass) => `${String(able(store, deviceClass).reduce((sum, worker) => sum + worker.slots, 0))} slots of class ${deviceClass}`).join(' and ');

/** Device classes of open shards that nobody evaluates, and how to start somebody. */
export const classesWithoutWorkers = (store: StoreSituation): string[] =>
  store.status.openClasses.flatMap((deviceClass) => (able(store, deviceClass).length > 0 ? [] : [`no worker of class ${deviceClass} is alive: start one with ropesweep worker --class ${deviceClass}`]));

function missingWorkers(store: StoreSituation): string[] {
  const { workers, status } = store;
  const own = workers.filter((worker) => status.openClasses.includes(worker.deviceClass));
  return [
    ...classesWithoutWorkers(store),
    ...own.flatMap(({ id, state, reason, selfTest, alive, silentSeconds }) => {
      if (!alive) return [`worker ${id} has been silent for ${duration(silentSeconds)}`];
      if (state === 'aside') return [`worker ${id} is set aside: ${reason ?? 'no reason is known'}`];
      if (selfTest === 'failed') return [`worker ${id} failed its self-test and takes no work`];
      return state === 'draining' ? [`worker ${id} is draining`] : [];
    }),
  ];
}

function canaries(sweep: SweepSituation | null): string[] {
  const count = sweep?.canaries.length ?? 0;
  return count === 0 ? [] : [`the window waits for ${count === 1 ? 'a canary' : 'its canaries'}: the cheapest and the dearest shard go first (canary: false in the sweep file does without)`];
}

function backingOff({ shard, phase, untilMs, tried, failure }: ShardSituation, nowMs: number): string[] {
  if (phase !== 'backing off' || untilMs === null) return [];
  return [`shard ${shard.slice(0, 12)} backs off for another ${duration(Math.max(0, untilMs - nowMs) / 1000)} after attempt ${String(tried)}: ${failure?.code ?? ''} ${failure?.reason ?? ''}`];
}

/** Shards in the window that no slot has: other sweeps are before them, or all slots are busy. */
function queued(store: StoreSituation, sweep: SweepSituation | null): string[] {
  const waiting = (sweep?.open.length ?? 0) - store.status.shards.leased;
  if (waiting <= 0 || store.status.shards.leased > 0) return [];
  const before = store.rivals.filter(({ priority }) => priority <= store.status.priority);
  if (before.length === 0) return [`${String(waiting)} shards wait for a slot`];
  return [`${String(waiting)} shards wait behind ${before.map((rival) => `${rival.sweep} (priority ${String(rival.priority)}, ${String(rival.shards)} slots)`).join(' and ')}; this sweep has priority ${String(store.status.priority)} (ropesweep set ${store.status.sweep} --priority 1)`];
}
