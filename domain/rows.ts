/**
 * Rows of a sweep as views, reports and exports read them.
 */
import type { ArmId, CellKey, SweepId, WeightsId } from './ids.js';
import type { NeedleNumbers } from './measurement.js';
import type { Method } from './method.js';
import type { CellOrigin, CellState, SweepState } from './states.js';
import type { TaskKind } from './task.js';

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
  readonly originalContextTokens: number;
  readonly continualPretrainContextTokens: number | null;
  readonly effectiveScale: number;
  readonly logitScale: number;
}

export interface CellRow {
  readonly key: CellKey;
  readonly armId: ArmId;
  readonly task: number;
  readonly taskKind: TaskKind;
  readonly contextTokens: number;
  readonly depth: number;
  readonly seed: number;
  readonly state: CellState;
  readonly origin: CellOrigin;
  /** Why there are no numbers. */
  readonly reason: string | null;
  /** Present when state is measured. */
  readonly needle: NeedleNumbers | null;
  /** Time and place of the measurement; left out of `--results-only`. */
  readonly measured: {
    readonly at: Date;
    readonly seconds: number;
    readonly worker: string;
    readonly fingerprint: string;
  } | null;
}

export interface SweepRows {
  readonly sweep: SweepId;
  readonly revision: number;
  readonly state: SweepState;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly spec: unknown;
  readonly planDigest: string;
  readonly arms: readonly ArmRow[];
  /** Ordered by arm, task, context length, depth, seed. */
  readonly cells: readonly CellRow[];
}
