/**
 * The protocol between a worker and the child process of a slot: plain messages over the fork's channel.
 */
import type { ComputeDtype } from './engine.js';
import type { ErrorCode } from './errors.js';
import type { CellKey, ShardId, WeightsId } from './ids.js';
import type { CellResult, ShardStats } from './measurement.js';
import type { NamedTable, NeedleAxes } from './plan.js';
import type { ResolvedTask } from './task.js';

export interface JobCell {
  readonly key: CellKey;
  readonly contextTokens: number;
  /** Index into the job's tables; cells of one table share prefixes. */
  readonly table: number;
  readonly axes: NeedleAxes;
}

/** Everything a slot needs to evaluate a shard: it asks nobody. */
export interface ShardJob {
  readonly shardId: ShardId;
  readonly checkpoint: { readonly folder: string; readonly weightsId: WeightsId };
  readonly tables: readonly NamedTable[];
  readonly task: ResolvedTask;
  readonly dtype: ComputeDtype;
  readonly cells: readonly JobCell[];
  /** Predicted FLOPs: the parent's phase deadlines come from it. */
  readonly flops: number;
}

export type ToSlot = { readonly kind: 'evaluate'; readonly job: ShardJob } | { readonly kind: 'selfTest' };

export type FromSlot =
  | { readonly kind: 'phase'; readonly phase: 'load' | 'run' }
  /** Largest difference of fused and reference attention; null if one of them is not finite. */
  | { readonly kind: 'selfTested'; readonly difference: number | null }
  | { readonly kind: 'cell'; readonly result: CellResult }
  | { readonly kind: 'done'; readonly stats: ShardStats }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };
