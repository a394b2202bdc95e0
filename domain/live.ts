/**
 * How everything stands at one moment, as `ropesweep watch` shows it. Costs are predicted FLOPs of shards: cells of long
 * contexts cost a thousand times those of short ones, so cells alone say little about how far a sweep is.
 */
import type { ArmId, ShardId, SweepId } from './ids.js';
import type { CellProgress, WorkerState } from './ports.js';
import type { OutcomeState, ShardState, SweepState } from './states.js';

/** Work in FLOPs and in input tokens of prompts; what is not done is left. */
export interface Work {
  readonly flops: number;
  readonly doneFlops: number;
  readonly tokens: number;
  readonly doneTokens: number;
}

/** What one slot did of late, from the shards of the sweep that ended in the last minutes. */
export interface SlotSpeed {
  /** Shards it is measured on. */
  readonly shards: number;
  /** FLOPs over seconds, loading included. */
  readonly flopsPerSecond: number;
  /** The slowest and the fastest quarter of those shards begin here. */
  readonly slowFlopsPerSecond: number;
  readonly fastFlopsPerSecond: number;
  readonly tokensPerSecond: number;
}

export interface LiveSweep {
  readonly sweep: SweepId;
  readonly revision: number;
  readonly state: SweepState;
  /** Why it stands or ended so, where nobody asked for it. */
  readonly reason: string | null;
  /** Shards that may run at once. */
  readonly concurrency: number;
  readonly priority: number;
  readonly cells: CellProgress;
  /** Its shards: null for a sweep that has ended and is not the one shown in full. */
  readonly work: LiveWork | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface LiveWork extends Work {
  readonly shards: Readonly<Record<ShardState, number>>;
  /** Attempts above the first, summed over the shards. */
  readonly recoveries: number;
  /** FLOPs left of the shard that has most left; one that was handed back counts whole. */
  readonly longestFlops: number;
  /** null until a shard was evaluated. */
  readonly speed: SlotSpeed | null;
}

export interface LiveArm extends Work {
  readonly arm: ArmId;
  readonly label: string;
  readonly cells: CellProgress;
  readonly runningShards: number;
}

/** A shard that a worker holds. */
export interface LiveShard extends Work {
  readonly shard: ShardId;
  readonly armLabel: string;
  readonly shortestContextTokens: number;
  readonly longestContextTokens: number;
  readonly cells: number;
  readonly endedCells: number;
  readonly worker: string;
  /** When this attempt began. */
  readonly since: Date;
  readonly seconds: number;
  readonly attempt: number;
  /** How the attempt before ended (domain/errors.ts); null where it ended well or there was none. */
  readonly before: string | null;
}

export interface LiveWorker {
  readonly id: string;
  readonly host: string;
  readonly deviceClass: string;
  readonly slots: number;
  /** Shards that it holds. */
  readonly busySlots: number;
  /** silent: without a heartbeat for so long that it is taken for gone. */
  readonly state: WorkerState | 'silent';
  /** Why it was set aside. */
  readonly reason: string | null;
  /** Folders of the checkpoints that its slots hold. */
  readonly loaded: readonly string[];
  readonly heartbeatSeconds: number;
  readonly startedAt: Date;
}

/** Cells without numbers for one reason, and the latest of them. */
export interface LiveFailure {
  readonly state: OutcomeState;
  readonly code: string;
  /** Among the latest outcomes of the store (results/live.ts); the sweep's own counts are exact. */
  readonly cells: number;
  readonly reason: string;
  readonly armLabel: string;
  readonly contextTokens: number;
  readonly at: Date;
}

/** One sweep in full. */
export interface LiveDetail extends LiveSweep {
  readonly work: LiveWork;
  readonly arms: readonly LiveArm[];
  /** Longest running first. */
  readonly running: readonly LiveShard[];
  /** Latest first. */
  readonly failures: readonly LiveFailure[];
}

export interface LiveView {
  /** By the clock of the database, like every time of the view. */
  readonly at: Date;
  /** Those that have not ended, then the ones that ended last. */
  readonly sweeps: readonly LiveSweep[];
  /** The sweep asked for, else the first of `sweeps`; null where there is none. */
  readonly detail: LiveDetail | null;
  readonly workers: readonly LiveWorker[];
}

/** Share of an arm's needle cells that pass their criterion; diverged cells do not pass. */
export interface ArmRecall {
  readonly arm: ArmId;
  /** Cells that it is over. */
  readonly cells: number;
  /** 0..1 */
  readonly recall: number;
}

/** Cells that have an end: everything but planned. */
export const endedCells = ({ total, planned }: CellProgress): number => total - planned;
