/**
 * Rows of a sweep as views, reports and exports read them.
 */
import type { ArmId, CellKey, SweepId, WeightsId } from './ids.js';
import type { AttentionNumbers, NeedleNumbers, PerplexityNumbers } from './measurement.js';
import type { Method } from './method.js';
import type { Refinement } from './refinement.js';
import type { CellOrigin, CellState, SweepState } from './states.js';
import type { ResolvedTask } from './task.js';

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

export interface SweepRows {
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
  /** Ordered by arm, task, context length, depth, seed, document. */
  readonly cells: readonly CellRow[];
}
