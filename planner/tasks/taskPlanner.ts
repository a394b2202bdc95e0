/**
 * What a kind of task has to bring to a plan; planner/tasks/registry.ts lists the kinds.
 */
import type { DeviceClass } from '../../domain/device.js';
import type { Plain } from '../../domain/identity.js';
import type { HaystackSpec } from '../../domain/promptSpec.js';
import type { PointSpec } from '../../domain/spec.js';
import type { AxesOf, ResolvedHaystack, ResolvedTaskOf, TaskKind } from '../../domain/task.js';
import type { TaskSpecOf } from '../../domain/taskSpec.js';
import type { ModelConfig } from '../../model/config.js';
import type { Tokenizer } from '../../prompts/tokenizer.js';
import { tokensIn, type Segment } from '../prefixSegments.js';

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
  /** Context lengths of its cells and of what is derived from them, ascending. */
  readonly contextTokens: readonly number[];
  /** Absolute path of what the spec names. @throws RopesweepError PATH_OUTSIDE_ROOTS */
  readonly resolvePath: (written: string) => Promise<string>;
  readonly resolveHaystack: (spec: HaystackSpec) => Promise<ResolvedHaystack>;
}

/** Sizes of a task's cells, known without a token of them. */
export interface TaskShape<K extends TaskKind> {
  /** What is computed for cells of one table; without KV every cell is computed whole. */
  readonly segments: (points: readonly CellPoint<K>[], keepsKv: boolean) => Segment[];
  /** Counts what is computed for cells of one group that come little by little: a function of the next ones that says how many tokens all so far are. */
  readonly growing: (keepsKv: boolean) => (points: readonly CellPoint<K>[]) => number;
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
  /**
   * Axes of its cells, ascending; those of a point beside the grid, which may name other values of them.
   * @param task null until its documents are known: they are counted then
   */
  axes(spec: TaskSpecOf<K>, task: ResolvedTaskOf<K> | null, point?: PointSpec): AxesOf[K][];
  /** Number of {@link axes}, without laying them out. */
  axesCount(spec: TaskSpecOf<K>, point?: PointSpec): number;
  /** Those of ascending context lengths that have cells of their own. */
  cellLengths(spec: TaskSpecOf<K>, contextTokens: readonly number[], tableDependsOnLength: boolean): readonly number[];
  /** What determines the numbers of all its cells, beside checkpoint, tokenizer, dtype and numerics. */
  ingredients(task: ResolvedTaskOf<K>, device: DeviceClass): Readonly<Record<string, Plain>>;
  /** Cells of one group share prefixes. */
  group(axes: AxesOf[K]): string | number;
}

export const ascending = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);

/** Whether a point names axes that only needle tasks have. */
export const isOfNeedle = (point: PointSpec | undefined): boolean => point?.depth !== undefined || point?.seed !== undefined;

/** For kinds of which a plan has few cells. */
export function counting<K extends TaskKind>(segments: TaskShape<K>['segments']): TaskShape<K>['growing'] {
  return (keepsKv) => {
    const all: CellPoint<K>[] = [];
    return (points) => {
      all.push(...points);
      return tokensIn(segments(all, keepsKv));
    };
  };
}
