/**
 * What workflows, activities, workers and the command agree on: names, ids, inputs. No zod and no Node here:
 * workflow code imports this file.
 */
import type { ShardId, SweepId } from './ids.js';
import type { SweepEndState, SweepState } from './states.js';

/** Queue of workflows and of store activities. */
export const CONTROL_QUEUE = 'ropesweep-control';
/** Queue of evaluateShard for one device class; strict priority needs it to have one partition. */
export const evaluationQueue = (deviceClass: string): string => `ropesweep-evaluate-${deviceClass}`;

/** Queue of evaluateShard for one worker: shards whose checkpoint it holds, which others passed on. */
export const workerQueue = (deviceClass: string, worker: string): string => `${evaluationQueue(deviceClass)}@${worker}`;
/** How long a task that was taken waits for a slot which was taken from under it; then it goes back to the class; milliseconds. */
export const SLOT_WAIT_MS = 5_000;

export const sweepWorkflowId = (sweep: SweepId): string => `sweep/${sweep}`;
export const shardWorkflowId = (sweep: SweepId, shard: ShardId): string => `sweep/${sweep}/shard/${shard.slice(0, 16)}`;

/** More children than this would burden one workflow. */
export const MAXIMUM_CONCURRENCY = 500;
/** Temporal's priority keys: 1 is served first. */
export const LOWEST_PRIORITY = 5;
export const DEFAULT_PRIORITY = 3;

export interface SweepInput {
  readonly sweep: SweepId;
  /** Seconds between two comparisons of the window with the store and with Temporal. */
  readonly reconcileSeconds: number;
  /** Shards in flight, carried over continue-as-new. */
  readonly open?: readonly ShardId[];
}

/** How a sweep is to be run, as the store says it now: its spec's wishes, or what somebody set since. */
export interface SweepControl {
  readonly state: SweepState;
  /** Shards in flight at once. */
  readonly concurrency: number;
  readonly priority: number;
  readonly maximumAttempts: number;
  /** Why nothing new is to be started although cells are left (the failure budget); null = go on. */
  readonly spent: string | null;
}

/** A shard to start. */
export interface ShardStart {
  readonly shard: ShardId;
  readonly evaluationQueue: string;
  /** Slot crashes of the shards that it was split from. */
  readonly crashes: number;
}

/** A worker that holds the checkpoint of a shard which another one was given. */
export interface Elsewhere {
  /** Its own queue. */
  readonly queue: string;
  /** How long the shard is to wait for it before any worker of the class may have it; milliseconds. */
  readonly waitMs: number;
}

/** What the store answers a window that asks for more. */
export interface Page {
  readonly control: SweepControl;
  readonly shards: readonly ShardStart[];
  /** Whether they are canaries: nothing else is to be started until one of them went well. */
  readonly canary: boolean;
}

export interface ShardInput extends ShardStart {
  readonly sweep: SweepId;
  readonly maximumAttempts: number;
  readonly priority: number;
}

/** Why something failed: an error code and a sentence. */
export interface Failure {
  readonly code: string;
  readonly reason: string;
}

/**
 * done: every cell has a measurement or an outcome, or the shard is not to be evaluated now (its sweep is paused or has ended).
 * split: the store has new shards with cells of it: it crashed its slot and was cut in two, or cells went on to the larger device
 * class. failed: quarantined.
 */
export interface ShardEnd {
  readonly shard: ShardId;
  readonly state: 'done' | 'split' | 'failed' | 'cancelled';
  /** What all of its cells failed of; null where one went well. */
  readonly failure: Failure | null;
}

/** What a shard's workflow says of itself to who asks why nothing gets on. */
export interface ShardSituation {
  readonly shard: ShardId;
  readonly phase: 'evaluating' | 'backing off' | 'ending';
  /** Milliseconds since the epoch at which it is tried again; null unless it backs off. */
  readonly untilMs: number | null;
  readonly tried: number;
  /** Of the last attempt that failed. */
  readonly failure: Failure | null;
}

/** What a sweep's workflow says of itself. */
export interface SweepSituation {
  readonly control: SweepControl | null;
  readonly open: readonly ShardId[];
  /** Canaries whose end the window waits for. */
  readonly canaries: readonly ShardId[];
}

export interface SweepEnd {
  readonly state: SweepEndState;
}

export const SIGNALS = {
  /** To the sweep: a shard's workflow ended. */
  shardEnded: 'shardEnded',
  /** To the sweep: the store has news (new shards, another concurrency, priority or state). */
  news: 'news',
} as const;

export const QUERIES = { situation: 'situation' } as const;

/** Types of ApplicationFailure that evaluateShard throws and the shard workflow decides by: error codes, and draining. */
export const FAILURES = {
  storeLost: 'STORE_LOST',
  diskFull: 'DISK_FULL',
  leaseLost: 'LEASE_LOST',
  draining: 'DRAINING',
  workerLost: 'WORKER_LOST',
  slotsBusy: 'SLOTS_BUSY',
  slotCrashed: 'SLOT_CRASHED',
  slotSilent: 'SLOT_SILENT',
} as const;

/** How often a slot's parent heartbeats, and when Temporal gives it up; milliseconds. */
export const HEARTBEAT = { everyMs: 10_000, timeoutMs: 30_000 } as const;
