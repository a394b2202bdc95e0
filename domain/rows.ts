/**
 * Rows of a sweep as views, reports and exports read them.
 */
import type { ArmId, CellKey, SweepId, WeightsId } from './ids.js';
import type { AttentionNumbers, NeedleNumbers, PerplexityNumbers } from './measurement.js';
import type { Method } from './method.js';
import type { CheckpointTraining } from './plan.js';
import type { Refinement } from './refinement.js';
import type { CellOrigin, CellState, SweepState } from './states.js';
import type { ResolvedTask, TaskKind } from './task.js';
import type { KeyAxis } from './taskSpec.js';

export interface ArmRow {
  readonly id: ArmId;
  /** Position in the spec: arms are shown in this order. */
  readonly ordinal: number;
  readonly label: string;
  readonly model: string;
  readonly method: Method;
  /** As tables print it: `yarn 8`. */
  readonly methodLabel: string;
  readonly weightsId: WeightsId;
  /** How the weights are stored: `f32`, `bf16`, `q4_1`. */
  readonly weightFormat: string;
  readonly originalContextTokens: number;
  readonly continualPretrainContextTokens: number | null;
  /** What the checkpoint says of its training; null where it says nothing. */
  readonly training: CheckpointTraining | null;
  readonly effectiveScale: number;
  readonly logitScale: number;
}

interface CellRowCommon {
  readonly key: CellKey;
  readonly armId: ArmId;
  /** Index into the sweep's tasks. */
  readonly task: number;
  readonly contextTokens: number;
  readonly state: CellState;
  readonly origin: CellOrigin;
  /** Why there are no numbers. */
  readonly reason: string | null;
  /** Time and place of the measurement; left out of `--results-only`. */
  readonly measured: {
    readonly at: Date;
    readonly seconds: number;
    readonly worker: string;
    readonly fingerprint: string;
  } | null;
}

/** Numbers are present where state is measured. */
export interface NeedleCellRow extends CellRowCommon {
  readonly taskKind: 'needle';
  readonly depth: number;
  readonly seed: number;
  readonly needle: NeedleNumbers | null;
}
export interface PerplexityCellRow extends CellRowCommon {
  readonly taskKind: 'perplexity';
  /** Id of the document. */
  readonly document: string;
  readonly perplexity: PerplexityNumbers | null;
}
export interface AttentionCellRow extends CellRowCommon {
  readonly taskKind: 'attention';
  readonly attention: AttentionNumbers | null;
}
export type CellRow = NeedleCellRow | PerplexityCellRow | AttentionCellRow;

export const isNeedleRow = (row: CellRow): row is NeedleCellRow => row.taskKind === 'needle';
export const isPerplexityRow = (row: CellRow): row is PerplexityCellRow => row.taskKind === 'perplexity';
export const isAttentionRow = (row: CellRow): row is AttentionCellRow => row.taskKind === 'attention';

/** What is asked of all needle cells of a sweep together: a few of their numbers. */
export type NeedleScores = Pick<NeedleNumbers, 'exactMatch' | 'tokenRecall' | 'stringRecall' | 'entropy' | 'entropyFirst'>;

/** A needle cell by its axes, and how it came out. */
export interface NeedleScoreRow extends Pick<NeedleCellRow, 'key' | 'armId' | 'task' | 'taskKind' | 'contextTokens' | 'depth' | 'seed' | 'state' | 'origin' | 'reason'> {
  readonly needle: NeedleScores | null;
  /** What measured it; null where nothing did. */
  readonly fingerprint: string | null;
}

/** Which cells are read page by page, and how much of them. */
export interface CellsWanted {
  /** Cells of these tasks; all where absent. */
  readonly kinds?: readonly TaskKind[];
  /** Cells of these arms; all where absent. */
  readonly arms?: readonly ArmId[];
  readonly pageCells?: number;
  /** False leaves out what attention cells store of every head: megabytes a cell of a large model. */
  readonly headDistributions?: boolean;
  /** False leaves out the losses of single tokens, which perplexity cells have megabytes of: their sums stay. */
  readonly tokenLosses?: boolean;
}

/** A context length that a sweep has cells of under a task. */
export interface TaskLength {
  /** Index into the sweep's tasks. */
  readonly task: number;
  readonly taskKind: TaskKind;
  readonly contextTokens: number;
}

/** Divergence of an attention cell to a cell of the same sweep and task, as the store derived it (domain/divergence.ts). */
export interface DivergenceRow {
  readonly key: CellKey;
  readonly axis: KeyAxis;
  readonly referenceKey: CellKey;
  readonly referenceArmId: ArmId;
  readonly referenceContextTokens: number;
  /** Nats; null where heads are not stored. */
  readonly meanOfHeads: number | null;
  readonly ofMean: number;
}

/** A sweep without its cells: those of a million do not fit into memory at once. */
export interface SweepHead {
  readonly sweep: SweepId;
  readonly revision: number;
  readonly state: SweepState;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly spec: unknown;
  readonly planDigest: string;
  /** What refinement found; null where the current revision refines nothing. */
  readonly refinement: Refinement | null;
  readonly arms: readonly ArmRow[];
  /** Of the current revision, by index. */
  readonly tasks: readonly ResolvedTask[];
}

/** All of a small sweep. */
export interface SweepRows extends SweepHead {
  /** Ordered by arm, task, context length, depth, seed, document. */
  readonly cells: readonly CellRow[];
}
