/** From kills and a testimony to figures: how long until it went on, and how much was done in vain. */
import type { Victim } from './schedule.js';
import type { Attempt } from './witness.js';

/** Times in ms since the epoch. */
export interface Kill {
  readonly victim: Victim;
  /** The processes that it hit and those that end with them: a worker with its command; of a partition the worker that was cut off. */
  readonly took: readonly number[];
  readonly at: number;
  /** Of what lasted: when it was over. */
  readonly until?: number;
  /** Where nobody could go on: when the last command was run again, or the disk had room again. Before then nobody is there to recover. */
  readonly againAt?: number;
}

export interface Figures {
  /**
   * Until a cell is recorded by an attempt that began after the kill (or after the command was run again). A kill that the next
   * one overtakes has no recovery of its own.
   */
  readonly recoverySeconds: readonly number[];
  /**
   * One for each attempt that a kill ended: until its shard is leased anew, or from when the command was last run again. Other
   * shards may be done before it.
   */
  readonly idleShardSeconds: readonly number[];
  /** Of the attempts that a kill ended: from the last cell that was recorded (or the lease) to the end, summed. */
  readonly lostWorkSeconds: number;
  /** Attempts that had no result and that no kill explains. */
  readonly unexplained: number;
}

export function figures(kills: readonly Kill[], attempts: readonly Attempt[]): Figures {
  const ended = attempts.flatMap((attempt, index) => {
    const next = attempts[index + 1];
    return next?.shard === attempt.shard ? [{ attempt, next, endedAt: endOf(attempt, next, kills) }] : [];
  });
  const killed = ended.flatMap(({ endedAt, ...rest }) => (endedAt === null ? [] : [{ ...rest, endedAt }]));
  return {
    recoverySeconds: kills.flatMap(({ at, againAt }, index) => recovery(againAt ?? at, kills[index + 1]?.at ?? Infinity, attempts)),
    idleShardSeconds: killed.map(({ next: { leasedAt }, endedAt }) => {
      const again = kills.flatMap(({ againAt }) => (againAt !== undefined && againAt < leasedAt ? [againAt] : []));
      return (leasedAt - Math.max(endedAt, ...again)) / 1000;
    }),
    lostWorkSeconds: killed.reduce((sum, { attempt, endedAt }) => sum + Math.max(0, endedAt - (attempt.recordedAt.at(-1) ?? attempt.leasedAt)) / 1000, 0),
    unexplained: ended.length - killed.length,
  };
}

/** One time, or none where another kill came first. */
function recovery(start: number, nextKill: number, attempts: readonly Attempt[]): number[] {
  const recorded = attempts.filter(({ leasedAt }) => leasedAt > start).flatMap(({ recordedAt }) => recordedAt.slice(0, 1));
  const first = Math.min(...recorded);
  return first < nextKill ? [(first - start) / 1000] : [];
}

/** When an attempt that got no result ended: as its worker said, or with the kill that took its worker; null if no kill did. */
function endOf({ leasedAt, worker, end }: Attempt, next: Attempt, kills: readonly Kill[]): number | null {
  const pid = Number(worker.split('/').at(-1));
  const took = kills.find(({ took: pids, at }) => pids.includes(pid) && at <= next.leasedAt);
  // A worker that is told of its command's death may have taken a shard in that moment.
  if (end === null) return took === undefined ? null : Math.max(took.at, leasedAt);
  const explained = took !== undefined || kills.some(({ at, until = at }) => until >= leasedAt && at <= end.at);
  return explained ? end.at : null;
}

export interface Spread {
  readonly median: number;
  readonly p95: number;
  readonly max: number;
}

/** null of nothing. */
export function spread(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (fraction: number): number => sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;
  return { median: at(0.5), p95: at(0.95), max: at(1) };
}
