/** From kills and a testimony to figures: how long until it went on, and how much was done in vain. */
import type { Victim } from './schedule.js';
import type { Attempt } from './witness.js';

/** Times in ms since the epoch. */
export interface Kill {
  readonly victim: Victim;
  /** The processes that it hit and those that end with them: a worker with its command. */
  readonly took: readonly number[];
  readonly at: number;
  /** Where it took the last command: when that was run again. Before then nobody is there to recover. */
  readonly againAt?: number;
}

export interface Figures {
  /**
   * One for each kill: until a cell is recorded by an attempt that began after it; other kills in between make it longer. Where
   * the command was killed before then, counted from when it was run again.
   */
  readonly recoverySeconds: readonly number[];
  /** One for each attempt that a kill ended. */
  readonly idle: readonly Idle[];
  /** Of the attempts that a kill ended: from the last cell that was recorded (or the lease) to the end, summed. */
  readonly lostWorkSeconds: number;
  /** Attempts that had no result and that no kill explains. */
  readonly unexplained: number;
}

/** A shard between two attempts. */
export interface Idle {
  readonly shard: string;
  /** Lease of the attempt that a kill ended. */
  readonly lease: number;
  /** Times in ms since the epoch. */
  readonly endedAt: number;
  readonly leasedAt: number;
  /** Until it was leased anew; counted like a recovery. */
  readonly seconds: number;
}

export function figures(kills: readonly Kill[], attempts: readonly Attempt[]): Figures {
  const again = attempts.flatMap((attempt, index) => {
    const next = attempts[index + 1];
    return next?.shard === attempt.shard ? [{ attempt, next, endedAt: endOf(attempt, next, kills) }] : [];
  });
  const killed = again.flatMap(({ endedAt, ...rest }) => (endedAt === null ? [] : [{ ...rest, endedAt }]));
  return {
    recoverySeconds: kills.flatMap(({ at }) => {
      const recorded = attempts.filter(({ leasedAt }) => leasedAt > at).flatMap(({ recordedAt }) => recordedAt.slice(0, 1));
      return recorded.length === 0 ? [] : [secondsUntil(Math.min(...recorded), at, kills)];
    }),
    idle: killed.map(({ attempt: { shard, lease }, next: { leasedAt }, endedAt }) => ({ shard, lease, endedAt, leasedAt, seconds: secondsUntil(leasedAt, endedAt, kills) })),
    lostWorkSeconds: killed.reduce((sum, { attempt, endedAt }) => sum + Math.max(0, endedAt - (attempt.recordedAt.at(-1) ?? attempt.leasedAt)) / 1000, 0),
    unexplained: again.length - killed.length,
  };
}

/** From `at`, or from the last time the command was run again before `until`. */
function secondsUntil(until: number, at: number, kills: readonly Kill[]): number {
  const starts = kills.flatMap(({ againAt }) => (againAt !== undefined && againAt > at && againAt < until ? [againAt] : []));
  return (until - Math.max(at, ...starts)) / 1000;
}

/** When an attempt that got no result ended: as its worker said, or with the kill that took its worker; null if no kill did. */
function endOf({ leasedAt, worker, end }: Attempt, next: Attempt, kills: readonly Kill[]): number | null {
  const pid = Number(worker.split('/').at(-1));
  const took = kills.find(({ took: pids, at }) => pids.includes(pid) && at <= next.leasedAt);
  // A worker that is told of its command's death may have taken a shard in that moment.
  if (end === null) return took === undefined ? null : Math.max(took.at, leasedAt);
  const explained = took !== undefined || kills.some(({ at }) => at >= leasedAt && at <= end.at);
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
