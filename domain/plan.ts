/**
 * The plan: the plain value a spec becomes. `run` executes exactly what `plan` printed.
 */
import type { ComputeDtype } from './engine.js';
import { RopesweepError, type ErrorCode } from './errors.js';
import type { ArmId, CellKey, ShardId, SweepId, TableDigest, WeightsId } from './ids.js';
import type { Method, RopeTable } from './method.js';
import type { CellState } from './states.js';
import type { OfTask, ResolvedTask } from './task.js';

export type { NeedleAxes } from './task.js';

/** What a checkpoint says of its training (training.json beside config.json); null where it does not. */
export interface CheckpointTraining {
  /** Seed of the training run. */
  readonly seed: number | null;
  /** Tokens of continual pretraining. */
  readonly tokens: number | null;
}

/** A checkpoint as the plan names it: where it lies and who it is. */
export interface PlannedCheckpoint {
  readonly folder: string;
  readonly weightsId: WeightsId;
  /** The weights are not here: planned from a config.json alone, with an id that the real weights will not have. */
  readonly provisional?: true;
  /** How the weights are stored: `f32`, `bf16`, `q4_1`. */
  readonly weightFormat: string;
  /** Length of continual pretraining in tokens; null = not continued. */
  readonly continualPretrainContextTokens: number | null;
  /** Absent where the checkpoint says nothing of it. */
  readonly training?: CheckpointTraining;
  /** Where its own RoPE settings may be meant otherwise, and how they were read; absent where all is plain. */
  readonly warnings?: readonly string[];
}

/** A RoPE table with its digest. */
export interface NamedTable extends RopeTable {
  readonly digest: TableDigest;
}

/** Checkpoint x method: what a curve or a heat map is drawn for. */
export interface PlannedArm {
  readonly id: ArmId;
  /** As figures and tables print it: `yarn 8, continued at 1024`. */
  readonly label: string;
  readonly model: string;
  readonly checkpoint: PlannedCheckpoint;
  readonly method: Method;
  /** The method alone, as tables print it: `yarn 8`. */
  readonly methodLabel: string;
  /** L0: trained context of the base in tokens. */
  readonly originalContextTokens: number;
  /** That the method replaces one that the checkpoint's own config names; absent where it does not. */
  readonly notice?: string;
  /** Base inverse frequency / method inverse frequency at the slowest pair. */
  readonly effectiveScale: number;
  /** attentionFactor squared: what multiplies the attention logits. */
  readonly logitScale: number;
  /** One table for all lengths under the key '*', or one a context length. */
  readonly tables: Readonly<Record<string, NamedTable>>;
}

/** The table an arm uses at a context length. */
export function tableAt({ label, tables }: Pick<PlannedArm, 'label' | 'tables'>, contextTokens: number): NamedTable {
  const table = tables['*'] ?? tables[String(contextTokens)];
  if (table === undefined) throw new RopesweepError('INTERNAL', { where: `arm ${label}`, what: `it has no RoPE table at ${contextTokens} tokens` });
  return table;
}

interface PlannedCellCommon {
  readonly key: CellKey;
  readonly armId: ArmId;
  /** Index into the plan's tasks. */
  readonly task: number;
  readonly contextTokens: number;
  /** What the store knows: planned = to be computed. A cell that fits no device class of the plan is planned as infeasible. */
  readonly state: CellState;
  /** Why it is not computed (failed, infeasible), or not on the plan's own class, as the store recorded it or the plan foresees it. */
  readonly reason?: string;
  /** Device classes that the plan itself foresees cannot hold the cell; absent where it foresees nothing. */
  readonly foreseen?: readonly ForeseenRefusal[];
  /** Too large for the plan's own device class: to be computed on the larger one. */
  readonly onLarger?: true;
}

/** A device class cannot hold a cell: known before anybody tries it. */
export interface ForeseenRefusal {
  readonly deviceClass: string;
  readonly code: ErrorCode;
  readonly reason: string;
}
export type PlannedCell = OfTask<PlannedCellCommon>;

/** A combination of method and length that has no checkpoint. */
export interface MissingCheckpoint {
  readonly model: string;
  /** Label of the method. */
  readonly method: string;
  readonly continualPretrainContextTokens: number | null;
  /** Cells it would have had. */
  readonly cells: number;
  readonly reason: string;
}

/** Cells that a rule of the sweep file left out. */
export interface LeftOut {
  /** Its place in the file: `exclude[0]`, `where`. */
  readonly rule: string;
  readonly cells: number;
  /** The rule as people read it. */
  readonly reason: string;
}

/** Points of the grid that are no cells. */
export type Excluded = MissingCheckpoint | LeftOut;

export interface ShardCost {
  /** Input tokens of all prompts. */
  readonly promptTokens: number;
  /** Distinct prefix tokens: what is computed where KV is kept. */
  readonly distinctTokens: number;
  /** Multiply-adds counted as two, causal attention counted once. */
  readonly flops: number;
  /** Largest KV cache in bytes; where none is kept between runs, the keys and values that live at once. */
  readonly kvBytes: number;
  /** Predicted peak memory of the device in bytes: weights, KV cache, activations, growth of the arena. */
  readonly peakBytes: number;
  /** Bytes of results that the cells will take in the store. */
  readonly resultBytes: number;
}

export interface PlannedShard {
  readonly id: ShardId;
  readonly armId: ArmId;
  readonly task: number;
  /** Workers of this class evaluate it. */
  readonly deviceClass: string;
  readonly cellKeys: readonly CellKey[];
  readonly cost: ShardCost;
}

/** total = new + cached + failed + infeasible; excluded stands beside it. */
export interface CellCounts {
  readonly total: number;
  readonly new: number;
  readonly cached: number;
  readonly failed: number;
  readonly infeasible: number;
  readonly excluded: number;
}

/** What the cells of a plan run on: their outcomes belong to these. */
export interface PlanClasses {
  readonly deviceClass: string;
  /** Asked once for cells that are too large for `deviceClass`; null where there is none. */
  readonly largerDeviceClass: string | null;
  /** Of both. */
  readonly engineVersion: string;
}

export interface Plan extends PlanClasses {
  readonly sweep: SweepId;
  /** Digest of the cells and of how they are run; equal digests are one revision. */
  readonly digest: string;
  /** As resolved for the device class and the checkpoints. */
  readonly dtype: ComputeDtype;
  readonly arms: readonly PlannedArm[];
  /** Those of the spec; of several models, those of the first, then those of the second. */
  readonly tasks: readonly ResolvedTask[];
  readonly cells: readonly PlannedCell[];
  readonly shards: readonly PlannedShard[];
  readonly excluded: readonly Excluded[];
  /** What is odd about the grid but not wrong: a part to exclude that matches nothing. Absent where all is plain. */
  readonly notices?: readonly string[];
  readonly counts: CellCounts;
  readonly cost: ShardCost;
}
