/** What changed from one frame to the next, as `ropesweep watch --json` prints it: one event a line (docs/interfaces.md). */
import type { ShardId, SweepId } from '../../domain/ids.js';
import { endedCells, type LiveArm, type LiveDetail, type LiveFailure, type LiveShard, type LiveSweep, type LiveView, type LiveWorker, type Work } from '../../domain/live.js';
import type { CellProgress } from '../../domain/ports.js';
import type { OutcomeState, ShardState, SweepState } from '../../domain/states.js';
import type { Frame } from './frame.js';
import { doneShare, type Eta, type Rates } from './rates.js';

interface Amount {
  readonly done: number;
  readonly total: number;
}

export interface SweepEvent extends Rates {
  readonly event: 'sweep';
  readonly at: Date;
  readonly sweep: SweepId;
  readonly revision: number;
  readonly state: SweepState;
  readonly reason: string | null;
  readonly concurrency: number;
  readonly priority: number;
  /** Of the cost, 0..1. */
  readonly share: number;
  readonly cells: CellProgress;
  /** These four are null where the sweep has ended and is not the one shown in full. */
  readonly shards: Readonly<Record<ShardState, number>> | null;
  readonly recoveries: number | null;
  readonly flops: Amount | null;
  readonly tokens: Amount | null;
  readonly eta: Eta | null;
}

export type LiveEvent =
  | SweepEvent
  | { readonly event: 'arm'; readonly sweep: SweepId; readonly arm: string; readonly cells: CellProgress; readonly flops: Amount; readonly recall: number | null }
  | {
      readonly event: 'shard';
      readonly sweep: SweepId;
      readonly shard: ShardId;
      readonly arm: string;
      readonly state: 'running' | Exclude<ShardState, 'leased'>;
      readonly contextTokens: readonly [shortest: number, longest: number];
      readonly cells: Amount;
      readonly worker: string;
      readonly attempt: number;
      /** How the attempt before ended. */
      readonly before: string | null;
      readonly seconds: number;
      readonly predictedSeconds: number | null;
    }
  | { readonly event: 'worker'; readonly worker: string; readonly host: string; readonly deviceClass: string; readonly slots: number; readonly busySlots: number; readonly state: LiveWorker['state'] | 'gone'; readonly reason: string | null; readonly loaded: readonly string[]; readonly heartbeatSeconds: number }
  | { readonly event: 'failure'; readonly sweep: SweepId; readonly state: OutcomeState; readonly code: string; readonly cells: number; readonly arm: string; readonly contextTokens: number; readonly reason: string; readonly at: Date }
  | { readonly event: 'notice'; readonly message: string };

const NO_RATES: Rates = { cellsPerSecond: 0, tokensPerSecond: 0, flopsPerSecond: 0, eta: null };

const amounts = ({ flops, doneFlops, tokens, doneTokens }: Work): { flops: Amount; tokens: Amount } => ({
  flops: { done: doneFlops, total: flops },
  tokens: { done: doneTokens, total: tokens },
});

/** Keeps what was said, so that only changes are. */
export class Changes {
  private readonly said = new Map<string, string>();
  private workers = new Map<string, LiveWorker>();
  private running = new Map<ShardId, LiveShard>();
  private runningOf: SweepId | null = null;

  /** Shards that ran at the last frame and do not now: ask the store how they stand before {@link events}. */
  vanished({ view }: Frame): ShardId[] {
    const now = new Set(view?.detail?.running.map(({ shard }) => shard));
    return view?.detail?.sweep === this.runningOf ? [...this.running.keys()].filter((shard) => !now.has(shard)) : [];
  }

  events(frame: Frame, states: ReadonlyMap<ShardId, ShardState>): LiveEvent[] {
    const { view, stale } = frame;
    const notice: LiveEvent[] = this.isNew('notice', stale) && stale !== null ? [{ event: 'notice', message: stale }] : [];
    if (view === null) return notice;
    return [
      ...notice,
      ...this.ofWorkers(view),
      ...(view.detail === null ? [] : this.ofDetail(view.detail, frame, states)),
      ...view.sweeps.flatMap((sweep) => this.ofSweep(view, sweep, frame.rates.get(sweep.sweep) ?? NO_RATES)),
    ];
  }

  private isNew(what: string, value: unknown): boolean {
    const text = JSON.stringify(value);
    if (this.said.get(what) === text) return false;
    this.said.set(what, text);
    return true;
  }

  /** A sweep that had ended before anybody looked says nothing, unless it is the one shown in full. */
  private ofSweep({ at }: LiveView, row: LiveSweep, rates: Rates): LiveEvent[] {
    const { sweep, revision, state, reason, concurrency, priority, cells, work } = row;
    const key = `sweep ${sweep}`;
    if (work === null && !this.said.has(key)) return [];
    if (!this.isNew(key, [revision, state, reason, concurrency, priority, cells, work === null ? null : [work.shards, work.recoveries, work.doneFlops]])) return [];
    const figures = work === null ? { shards: null, recoveries: null, flops: null, tokens: null } : { shards: work.shards, recoveries: work.recoveries, ...amounts(work) };
    return [{ event: 'sweep', at, sweep, revision, state, reason, concurrency, priority, share: doneShare(row, work), cells, ...figures, ...rates }];
  }

  private ofWorkers({ workers }: LiveView): LiveEvent[] {
    const before = this.workers;
    this.workers = new Map(workers.map((worker) => [worker.id, worker]));
    const event = (worker: LiveWorker, state: LiveWorker['state'] | 'gone'): LiveEvent => {
      const { id, host, deviceClass, slots, busySlots, reason, loaded, heartbeatSeconds } = worker;
      return { event: 'worker', worker: id, host, deviceClass, slots, busySlots, state, reason, loaded, heartbeatSeconds };
    };
    return [
      ...workers.filter(({ id, state, slots }) => before.get(id)?.state !== state || before.get(id)?.slots !== slots).map((worker) => event(worker, worker.state)),
      ...[...before.values()].filter(({ id }) => !this.workers.has(id)).map((worker) => event(worker, 'gone')),
    ];
  }

  private ofDetail(detail: LiveDetail, { recalls }: Frame, states: ReadonlyMap<ShardId, ShardState>): LiveEvent[] {
    const { sweep, arms, failures } = detail;
    return [
      ...this.ofShards(detail, states),
      ...arms.flatMap((arm) => this.ofArm(sweep, arm, recalls.get(arm.arm) ?? null)),
      ...failures.flatMap((failure) => this.ofFailure(sweep, failure)),
    ];
  }

  private ofShards({ sweep, running, work: { speed } }: LiveDetail, states: ReadonlyMap<ShardId, ShardState>): LiveEvent[] {
    const before = this.runningOf === sweep ? this.running : new Map<ShardId, LiveShard>();
    this.runningOf = sweep;
    this.running = new Map(running.map((shard) => [shard.shard, shard]));
    const event = (row: LiveShard, state: 'running' | Exclude<ShardState, 'leased'>): LiveEvent => {
      const { shard, armLabel: arm, shortestContextTokens, longestContextTokens, cells, endedCells: done, worker, attempt, before: ended, seconds, flops } = row;
      const predictedSeconds = speed === null ? null : flops / speed.flopsPerSecond;
      return { event: 'shard', sweep, shard, arm, state, contextTokens: [shortestContextTokens, longestContextTokens], cells: { done: state === 'done' ? cells : done, total: cells }, worker, attempt, before: ended, seconds, predictedSeconds };
    };
    const ends = [...before.values()].flatMap((shard) => {
      const state = this.running.has(shard.shard) ? undefined : states.get(shard.shard);
      return state === undefined || state === 'leased' ? [] : [event(shard, state)];
    });
    const begins = running.filter(({ shard, attempt }) => before.get(shard)?.attempt !== attempt).map((shard) => event(shard, 'running'));
    return [...ends, ...begins];
  }

  private ofArm(sweep: SweepId, row: LiveArm, recall: number | null): LiveEvent[] {
    const { arm, label, cells } = row;
    return this.isNew(`arm ${sweep} ${arm}`, [cells, recall]) && (endedCells(cells) > 0 || row.runningShards > 0) ? [{ event: 'arm', sweep, arm: label, cells, flops: amounts(row).flops, recall }] : [];
  }

  private ofFailure(sweep: SweepId, failure: LiveFailure): LiveEvent[] {
    const { state, code, cells, armLabel: arm, contextTokens, reason, at } = failure;
    return this.isNew(`failure ${sweep} ${state} ${code}`, [cells, at]) ? [{ event: 'failure', sweep, state, code, cells, arm, contextTokens, reason, at }] : [];
  }
}
