/**
 * Ports: what activities, planner callers and views need of the outside. results/ and worker/ implement them.
 */
import type { CellKey, ShardId, SweepId, WeightsId } from './ids.js';
import type { CellResult, ShardStats } from './measurement.js';
import type { Plan } from './plan.js';
import type { FromSlot, ShardJob } from './slot.js';
import type { SweepSpec } from './spec.js';
import type { CellState, OutcomeState, ShardState, SweepEndState, SweepState } from './states.js';

/** What the store knows of a cell that a plan asks about. */
export interface KnownCell {
  readonly state: CellState;
  readonly reason: string | null;
}

/** A digest of one file, kept by path, size and mtime so that weights are hashed once. */
export interface FileDigest {
  readonly path: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly mtimeMs: number;
  readonly sha256: string;
}

/** An attempt's hold on a shard: every write names it, and a newer number refuses it. */
export interface Lease {
  readonly shard: ShardId;
  readonly number: number;
}

export interface LeasedShard {
  readonly lease: Lease;
  /** Cells without a measurement or outcome yet; empty if nothing is left. */
  readonly job: ShardJob;
  readonly attempt: number;
}

/** Where and by what a shard was evaluated. */
export interface Place {
  readonly worker: string;
  /** CPU or GPU model, onnxruntime version, provider and settings, graph version. */
  readonly fingerprint: string;
  readonly engineVersion: string;
  readonly deviceClass: string;
}

export interface CellProgress {
  readonly total: number;
  readonly planned: number;
  readonly measured: number;
  readonly diverged: number;
  readonly infeasible: number;
  readonly failed: number;
}

export interface SweepStatus {
  readonly sweep: SweepId;
  readonly revision: number;
  readonly state: SweepState;
  readonly cells: CellProgress;
  /** Cells of shards that a worker holds now. */
  readonly runningCells: number;
  readonly shards: Readonly<Record<ShardState, number>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Quarantined or infeasible cells with their reason. */
export interface OutcomeRow {
  readonly key: CellKey;
  readonly armLabel: string;
  readonly contextTokens: number;
  readonly axes: Readonly<Record<string, number | string>>;
  readonly state: OutcomeState;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
}

/** A worker as the registry shows it. */
export interface WorkerRow {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly deviceClass: string;
  readonly slots: number;
  readonly fingerprint: string;
  readonly selfTest: 'passed' | 'failed';
}

export interface Submission {
  readonly sweep: SweepId;
  readonly revision: number;
  /** False when the same plan was submitted before: the sweep goes on. */
  readonly created: boolean;
}

/** The database of record. Every method retries nothing: callers decide; a lost connection is STORE_LOST. */
export interface Store {
  // planning
  knownCells(keys: readonly CellKey[], deviceClass: string, engineVersion: string): Promise<Map<CellKey, KnownCell>>;
  /** By device class, FLOP/s of one slot with these checkpoints, from finished shards; a class without any is absent. */
  measuredRates(weightsIds: readonly WeightsId[]): Promise<Map<string, number>>;
  fileDigest(path: string, size: number, mtimeMs: number): Promise<string | null>;
  saveFileDigest(file: FileDigest): Promise<void>;
  submit(spec: SweepSpec, plan: Plan): Promise<Submission>;

  // orchestration
  /** Shards to start, longest first within a checkpoint; never one of `except`. */
  nextShards(sweep: SweepId, limit: number, except: readonly ShardId[]): Promise<ShardId[]>;
  /** Those of `shards` that have ended (done, failed, superseded). */
  endedShards(shards: readonly ShardId[]): Promise<ShardId[]>;
  /** A new lease on a shard, or null if it has ended. */
  lease(shard: ShardId, place: Place): Promise<LeasedShard | null>;
  /** Writes results; first writer wins. Throws LEASE_LOST if a newer lease exists. */
  record(lease: Lease, place: Place, results: readonly CellResult[]): Promise<void>;
  /** Ends a shard: done if every cell has a measurement or outcome, else planned again. */
  finishShard(lease: Lease, stats: ShardStats | null): Promise<void>;
  /** Quarantines what is left of a shard with the reason of its last attempt. */
  failShard(shard: ShardId, code: string, reason: string, attempts: number): Promise<void>;
  /** Done or incomplete by the cells' states, unless `state` says stopped or cancelled. */
  finishSweep(sweep: SweepId, state: SweepEndState | null): Promise<SweepEndState>;

  // registry
  registerWorker(worker: WorkerRow): Promise<void>;
  heartbeatWorker(id: string): Promise<void>;
  unregisterWorker(id: string): Promise<void>;

  // views
  status(sweep: SweepId): Promise<SweepStatus | null>;
  sweeps(): Promise<SweepStatus[]>;
  outcomes(sweep: SweepId): Promise<OutcomeRow[]>;

  close(): Promise<void>;
}

/** Evaluates one shard in a slot's child process. */
export interface SlotPool {
  readonly place: Place;
  /**
   * Resolves when the slot reports the end of the job. Every message passes through `onMessage` in order.
   * @throws RopesweepError SLOT_CRASHED, SLOT_SILENT; an abort kills the child and rejects with the signal's reason.
   */
  evaluate(job: ShardJob, onMessage: (message: FromSlot) => void, signal: AbortSignal): Promise<ShardStats>;
  close(): Promise<void>;
}

/** What Temporal knows of running workflows. */
export interface Executions {
  /** Those of the workflow ids that are running now. */
  running(workflowIds: readonly string[]): Promise<ReadonlySet<string>>;
}
