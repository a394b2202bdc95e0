/**
 * Ports: what activities, planner callers and views need of the outside. results/ and worker/ implement them.
 */
import type { CellKey, ShardId, SweepId, WeightsId } from './ids.js';
import type { CellResult, ShardStats } from './measurement.js';
import type { Elsewhere, Failure, Page, ShardEnd } from './orchestration.js';
import type { Plan, PlanClasses } from './plan.js';
import type { ScoredNumbers } from './score.js';
import type { FromSlot, ShardJob } from './slot.js';
import type { SweepSpec } from './spec.js';
import type { TaskKind } from './task.js';
import type { CellOrigin, CellState, OutcomeState, ShardState, SweepEndState, SweepState } from './states.js';

/** What the store knows of a cell that a plan asks about. */
export interface KnownCell {
  /** planned: too large for the plan's own device class, and nobody has tried it on the larger one. */
  readonly state: CellState;
  readonly reason: string | null;
  /** It was tried on the larger class alone: true of the cell only where a plan finds it too large for its own. */
  readonly ifTooLarge?: true;
}

/** How a needle cell that has an end came out; numbers are null unless it is measured. */
export interface KnownScore {
  readonly state: Exclude<CellState, 'planned'>;
  readonly numbers: ScoredNumbers | null;
}

/** How fast one slot was, in FLOP/s, over finished shards. */
export interface MeasuredRate {
  /** All FLOPs over all seconds. */
  readonly flopsPerSecond: number;
  /** A tenth of the FLOPs were computed this slowly or more slowly. */
  readonly slowFlopsPerSecond: number;
  /** A tenth of the FLOPs were computed this fast or faster. */
  readonly fastFlopsPerSecond: number;
  readonly shards: number;
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
  /** Device classes that have shards left. */
  readonly openClasses: readonly string[];
  /** Attempts at shards that had to load their checkpoint. */
  readonly loads: number;
  /** Why it ended before its cells did; null where there is nothing to say. */
  readonly reason: string | null;
  /** Shards in flight at once. */
  readonly concurrency: number;
  /** 1 is served first. */
  readonly priority: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What the store knows of why a sweep gets on or does not. */
export interface StoreSituation {
  readonly status: SweepStatus;
  readonly workers: readonly {
    readonly id: string;
    readonly deviceClass: string;
    readonly slots: number;
    readonly state: WorkerState;
    readonly reason: string | null;
    readonly selfTest: 'passed' | 'failed';
    readonly silentSeconds: number;
    /** Whether its heartbeats come. */
    readonly alive: boolean;
    /** Shards that it holds. */
    readonly shards: number;
  }[];
  /** Attempts at shards of the sweep that failed lately, by code. */
  readonly failures: readonly { readonly code: string; readonly attempts: number; readonly reason: string | null }[];
  /** Other sweeps that are to try cells again which have no numbers here. */
  readonly triedAgainBy: readonly { readonly sweep: SweepId; readonly cells: number }[];
  /** Other sweeps that hold slots. */
  readonly rivals: readonly { readonly sweep: SweepId; readonly priority: number; readonly shards: number }[];
}

/** Quarantined or infeasible cells with their reason. */
export interface OutcomeRow {
  readonly key: CellKey;
  readonly armLabel: string;
  readonly model: string;
  /** Name of the method, its label as tables print it, and its factor where it has one. */
  readonly method: string;
  readonly methodLabel: string;
  readonly factor: number | null;
  readonly continualPretrainContextTokens: number | null;
  readonly originalContextTokens: number;
  /** Index into the sweep's tasks. */
  readonly task: number;
  readonly taskKind: TaskKind;
  readonly origin: CellOrigin;
  readonly contextTokens: number;
  readonly axes: Readonly<Record<string, number | string>>;
  readonly state: OutcomeState;
  /** Of the class that tried it last, or would have. */
  readonly deviceClass: string;
  readonly code: string;
  readonly reason: string;
  /** On all device classes of the sweep. */
  readonly attempts: number;
  /** Other sweeps that are to try the cell again. */
  readonly triedAgainBy: readonly SweepId[];
}

/** ready: takes work; draining: was told to stop; aside: failed where others did not, and takes no more. */
export const WORKER_STATES = ['ready', 'draining', 'aside'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

/** A worker as it registers. */
export interface WorkerRow {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** Opaque: by this a neighbour tells it from another process with its pid. */
  readonly processStarted: string;
  readonly deviceClass: string;
  readonly slots: number;
  /** Its own task queue, for work that is to be done with what its slots hold. */
  readonly queue: string;
  readonly fingerprint: string;
  readonly selfTest: 'passed' | 'failed';
  /** Of one device, or of the node. */
  readonly memoryBytes: number | null;
  /** Of ropesweep. */
  readonly version: string;
}

/** What changes while a worker lives. */
export interface WorkerBeat {
  readonly draining: boolean;
  /** Checkpoints that its slots hold. */
  readonly loaded: readonly WeightsId[];
}

export interface WorkerStanding {
  readonly state: WorkerState;
  /** Why it was set aside. */
  readonly reason: string | null;
}

/** A registered worker as a neighbour looks for it. */
export type WorkerProcess = Pick<WorkerRow, 'id' | 'pid' | 'processStarted'>;

export interface HeldShard {
  readonly sweep: SweepId;
  readonly shard: ShardId;
}

/** What a person asks of a sweep; each may be said again without harm. */
export type SweepWish =
  | { readonly verb: 'pause' | 'resume' | 'stop' | 'cancel' }
  | { readonly verb: 'set'; readonly concurrency?: number; readonly priority?: number };

export interface Steered {
  readonly before: SweepState;
  readonly after: SweepState;
  readonly concurrency: number;
  readonly priority: number;
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
  knownCells(pieces: Iterable<readonly CellKey[]>, classes: PlanClasses): Promise<Map<CellKey, KnownCell>>;
  /** By device class, from finished shards of these checkpoints; a class without any is absent. */
  measuredRates(weightsIds: readonly WeightsId[]): Promise<Map<string, MeasuredRate>>;
  fileDigest(path: string, size: number, mtimeMs: number): Promise<string | null>;
  saveFileDigest(file: FileDigest): Promise<void>;
  submit(spec: SweepSpec, plan: Plan): Promise<Submission>;

  // orchestration
  /** How the sweep is to be run now, and shards to start, longest first within a checkpoint; never one of `except`. */
  nextShards(sweep: SweepId, except: readonly ShardId[]): Promise<Page>;
  /** Those of `shards` that have ended (done, failed, superseded). */
  endedShards(shards: readonly ShardId[]): Promise<ShardId[]>;
  /** A new lease on a shard, or null if it has ended or its sweep does not run. */
  lease(shard: ShardId, place: Place): Promise<LeasedShard | null>;
  /**
   * Who had better have the shard than a worker whose free slots hold the checkpoints `idle`; null: this one. Nobody else where
   * nothing waits for what it holds.
   */
  heldElsewhere(shard: ShardId, place: Place, idle: readonly WeightsId[]): Promise<Elsewhere | null>;
  /**
   * Writes results; first writer wins. Cells that were too large for the device class of their shard go on to the larger one of
   * the sweep, where it has one. Throws LEASE_LOST if a newer lease exists.
   */
  record(lease: Lease, place: Place, results: readonly CellResult[]): Promise<void>;
  /**
   * Ends an attempt: the shard is done if every cell has a measurement or outcome, else planned again.
   * @returns cells that went from the shard to another device class, over all its attempts: new shards have them
   */
  finishShard(lease: Lease, stats: ShardStats | null, failure: Failure | null): Promise<number>;
  /**
   * Cuts what is left of a shard that killed its slot in two shards that know how often it did.
   * @returns how many parts: 0 for a shard with one cell left, which stays as it is
   */
  splitShard(shard: ShardId, crashes: number): Promise<number>;
  /** Quarantines what is left of a shard with the reason of its last attempt. */
  failShard(shard: ShardId, code: string, reason: string, attempts: number): Promise<void>;
  /** Done or incomplete by the cells' states, unless `state` says stopped or cancelled. */
  finishSweep(sweep: SweepId, state: SweepEndState | null, reason?: string | null): Promise<SweepEndState>;
  /** The same for a sweep whose backlog is empty; null where somebody added cells to compute meanwhile: then it goes on. */
  settleSweep(sweep: SweepId): Promise<SweepEndState | null>;
  /**
   * What a person wants of a sweep.
   * @throws RopesweepError SWEEP_UNKNOWN, or SWEEP_STATE where the sweep's state does not allow it
   */
  steer(sweep: SweepId, wish: SweepWish): Promise<Steered>;

  // registry
  registerWorker(worker: WorkerRow): Promise<void>;
  /** Says that the worker lives, and returns what the store thinks of it; null where its row is gone. */
  heartbeatWorker(id: string, beat: WorkerBeat): Promise<WorkerStanding | null>;
  /** Nothing is done where the id is another process's by now, as below. */
  unregisterWorker(worker: WorkerProcess): Promise<void>;
  /** Registered workers, as processes. */
  workerProcesses(): Promise<WorkerProcess[]>;
  /** Ends the attempts of a worker whose process is gone. @returns the shards that it had leased; null where the id is another process's by now */
  loseWorker(worker: WorkerProcess): Promise<HeldShard[] | null>;

  // views
  status(sweep: SweepId): Promise<SweepStatus | null>;
  sweeps(): Promise<SweepStatus[]>;
  outcomes(sweep: SweepId): Promise<OutcomeRow[]>;

  close(): Promise<void>;
}

/** Evaluates one shard in a slot's child process. */
export interface SlotPool {
  readonly place: Place;
  /** Checkpoints that free slots hold. */
  readonly idleCheckpoints: readonly WeightsId[];
  /** Waits for a free slot, at most so long. @returns what gives it back; null if none came free. An abort rejects with the signal's reason. */
  reserve(limitMs: number, signal: AbortSignal): Promise<(() => void) | null>;
  /**
   * Resolves when the slot reports the end of the job. Every message passes through `onMessage` in order.
   * @throws RopesweepError SLOT_CRASHED, SLOT_SILENT; an abort kills the child and rejects with the signal's reason.
   */
  evaluate(job: ShardJob, onMessage: (message: FromSlot) => void, signal: AbortSignal): Promise<ShardStats>;
  close(): Promise<void>;
}

/** What Temporal says of a task queue at one moment. */
export interface QueueSample {
  readonly queue: string;
  readonly kind: 'workflow' | 'activity';
  /** Tasks that wait, about. */
  readonly backlog: number;
  /** Of the oldest task that waits; 0 where none does. */
  readonly backlogAgeSeconds: number;
  readonly addedPerSecond: number;
  readonly dispatchedPerSecond: number;
  /** Processes that asked for work within the last minutes. */
  readonly pollers: number;
}

/** What Temporal knows of running workflows. */
export interface Executions {
  /** Those of the workflow ids that are running now. */
  running(workflowIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Activities of these workflows that wait in a queue get this priority. */
  prioritise(workflowIds: readonly string[], priority: number): Promise<void>;
  /** Tells the newest run of a sweep's workflow that a shard ended; one that is gone needs no telling. */
  shardEnded(workflowId: string, end: ShardEnd): Promise<void>;
  /** Ends, as lost, attempts of these workflows that the worker has. */
  loseWorker(workflowIds: readonly string[], worker: string): Promise<void>;
}
