/**
 * What a kind of task has to bring to a plan; planner/tasks/registry.ts lists the kinds.
 */
import type { DeviceClass } from '../../domain/device.js';
import type { Plain } from '../../domain/identity.js';
import type { HaystackSpec } from '../../domain/promptSpec.js';
import type { AxesOf, ResolvedHaystack, ResolvedTaskOf, TaskKind } from '../../domain/task.js';
import type { TaskSpecOf } from '../../domain/taskSpec.js';
import type { ModelConfig } from '../../model/config.js';
import type { Tokenizer } from '../../prompts/tokenizer.js';
import type { Segment } from '../prefixSegments.js';

export interface CellPoint<K extends TaskKind> {
  readonly contextTokens: number;
  readonly axes: AxesOf[K];
}

export interface TaskInputs {
  /** Of the base checkpoint; null where it has none, or is not here. */
  readonly tokenizer: Tokenizer | null;
  /** Whether the base is planned from a config.json alone: its texts are counted approximately. */
  readonly provisional: boolean;
  readonly tokenizerDigest: string;
  /** The task's context lengths, ascending. */
  readonly contextTokens: readonly number[];
  /** Absolute path of what the spec names. @throws RopesweepError PATH_OUTSIDE_ROOTS */
  readonly resolvePath: (written: string) => Promise<string>;
  readonly resolveHaystack: (spec: HaystackSpec) => Promise<ResolvedHaystack>;
}

/** Sizes of a task's cells, known without a token of them. */
export interface TaskShape<K extends TaskKind> {
  /** What is computed for cells of one table; without KV every cell is computed whole. */
  readonly segments: (points: readonly CellPoint<K>[], keepsKv: boolean) => Segment[];
  /** Input tokens of all passes. */
  readonly promptTokens: (points: readonly CellPoint<K>[]) => number;
  /** Rows of the output projection. */
  readonly outputRows: (points: readonly CellPoint<K>[]) => number;
  /** Rows whose attention is probed at the end of a pass. */
  readonly probeRows: number;
  /** Bytes that one cell's numbers take in the store. */
  readonly resultBytes: (point: CellPoint<K>, config: ModelConfig) => number;
}

export interface ResolvedTaskPlan<K extends TaskKind> {
  readonly task: ResolvedTaskOf<K>;
  readonly shape: TaskShape<K>;
}

export interface TaskPlanner<K extends TaskKind> {
  /** @throws RopesweepError SPEC_INVALID, PATH_OUTSIDE_ROOTS, DOCUMENTS_INVALID, ... */
  resolve(spec: TaskSpecOf<K>, inputs: TaskInputs): Promise<ResolvedTaskPlan<K>>;
  /** Number of {@link points}, from the spec alone. */
  count(spec: TaskSpecOf<K>, contextTokens: readonly number[], tableDependsOnLength: boolean): number;
  /** Cells of one arm, numbers ascending. */
  points(spec: TaskSpecOf<K>, task: ResolvedTaskOf<K>, contextTokens: readonly number[], tableDependsOnLength: boolean): CellPoint<K>[];
  /** What determines the numbers of all its cells, beside checkpoint, tokenizer, dtype and numerics. */
  ingredients(task: ResolvedTaskOf<K>, device: DeviceClass): Readonly<Record<string, Plain>>;
  /** Cells of one group share prefixes. */
  group(axes: AxesOf[K]): string | number;
}

export const ascending = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);
