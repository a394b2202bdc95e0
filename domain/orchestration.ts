/**
 * What workflows, activities, workers and the command agree on: names, ids, inputs. No zod and no Node here:
 * workflow code imports this file.
 */
import type { ShardId, SweepId } from './ids.js';
import type { SweepEndState } from './states.js';

/** Queue of workflows and of store activities. */
export const CONTROL_QUEUE = 'ropesweep-control';
/** Queue of evaluateShard for one device class; strict priority needs it to have one partition. */
export const evaluationQueue = (deviceClass: string): string => `ropesweep-evaluate-${deviceClass}`;

export const sweepWorkflowId = (sweep: SweepId): string => `sweep/${sweep}`;
export const shardWorkflowId = (sweep: SweepId, shard: ShardId): string => `sweep/${sweep}/shard/${shard.slice(0, 16)}`;

export interface SweepInput {
  readonly sweep: SweepId;
  /** Shards in flight at once. */
  readonly concurrency: number;
  readonly evaluationQueue: string;
  readonly maximumAttempts: number;
  /** Seconds between two comparisons of the window with the store and with Temporal. */
  readonly reconcileSeconds: number;
  /** Shards in flight, carried over continue-as-new. */
  readonly open?: readonly ShardId[];
}

export interface ShardInput {
  readonly sweep: SweepId;
  readonly shard: ShardId;
  readonly evaluationQueue: string;
  readonly maximumAttempts: number;
}

export interface ShardEnd {
  readonly shard: ShardId;
  readonly state: 'done' | 'failed' | 'cancelled';
}

export interface SweepEnd {
  readonly state: SweepEndState;
}

export const SIGNALS = {
  /** To the sweep: a shard's workflow ended. */
  shardEnded: 'shardEnded',
  /** To the sweep: the store has new shards (a bigger revision, or a submission after a kill). */
  extend: 'extend',
} as const;

/** Types of ApplicationFailure that evaluateShard throws and the shard workflow decides by: error codes, and draining. */
export const FAILURES = {
  storeLost: 'STORE_LOST',
  diskFull: 'DISK_FULL',
  leaseLost: 'LEASE_LOST',
  draining: 'DRAINING',
} as const;

/** How often a slot's parent heartbeats, and when Temporal gives it up; milliseconds. */
export const HEARTBEAT = { everyMs: 10_000, timeoutMs: 30_000 } as const;
