/**
 * The protocol between a worker and the child process of a slot: plain messages over the fork's channel.
 */
import type { ComputeDtype } from './engine.js';
import type { ErrorCode } from './errors.js';
import type { CellKey, ShardId, WeightsId } from './ids.js';
import type { CellResult, ShardStats } from './measurement.js';
import type { NamedTable } from './plan.js';
import type { AxesOf, ResolvedTaskOf, TaskKind } from './task.js';

export interface JobCellOf<K extends TaskKind> {
  readonly key: CellKey;
  readonly contextTokens: number;
  /** Index into the job's tables; cells of one table share prefixes. */
  readonly table: number;
  readonly axes: AxesOf[K];
}
export type JobCell = { [K in TaskKind]: JobCellOf<K> }[TaskKind];

/** What is asked of a task's cells. */
export interface TaskWork<K extends TaskKind> {
  readonly task: ResolvedTaskOf<K>;
  readonly cells: readonly JobCellOf<K>[];
}

/** Everything a slot needs to evaluate a shard: it asks nobody. */
export type ShardJob = { [K in TaskKind]: ShardJobOf<K> }[TaskKind];

export interface ShardJobOf<K extends TaskKind> extends TaskWork<K> {
  readonly shardId: ShardId;
  readonly checkpoint: { readonly folder: string; readonly weightsId: WeightsId };
  readonly tables: readonly NamedTable[];
  readonly dtype: ComputeDtype;
  /** Predicted FLOPs: the parent's phase deadlines come from it. */
  readonly flops: number;
}

/** The job with the cells that are kept: they stay of its task's kind, which the compiler cannot see. */
export const withCells = (job: ShardJob, keep: (cell: JobCell) => boolean): ShardJob => ({ ...job, cells: job.cells.filter(keep) }) as ShardJob;

export type ToSlot = { readonly kind: 'evaluate'; readonly job: ShardJob } | { readonly kind: 'selfTest' };

export type FromSlot =
  | { readonly kind: 'phase'; readonly phase: 'load' | 'run' }
  /** Largest difference of fused and reference attention; null if one of them is not finite. */
  | { readonly kind: 'selfTested'; readonly difference: number | null }
  | { readonly kind: 'cell'; readonly result: CellResult }
  | { readonly kind: 'done'; readonly stats: ShardStats }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };
