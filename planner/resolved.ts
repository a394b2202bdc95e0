/**
 * A resolved sweep: the spec with every file read and every identity known. Cells and their keys follow from it alone.
 */
import type { DeviceClass } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import type { RopeGeometry } from '../domain/method.js';
import type { PlannedArm } from '../domain/plan.js';
import type { ModelConfig } from '../model/config.js';
import type { PlannedTask } from './tasks/registry.js';

export interface ResolvedArm {
  readonly arm: PlannedArm;
  /** Architecture of its checkpoint: what costs are counted from. */
  readonly config: ModelConfig;
  /** What its tables are made from: refinement needs them at lengths that the spec does not name. */
  readonly geometry: RopeGeometry;
}

/** A combination of method and continual-pretrain length that has no checkpoint. */
export interface MissingArm {
  /** Label of the method. */
  readonly method: string;
  readonly continualPretrainContextTokens: number | null;
  readonly reason: string;
}

export interface ResolvedSweep {
  /** Methods in the order of the spec, each at its continual-pretrain lengths. */
  readonly arms: readonly ResolvedArm[];
  readonly tasks: readonly PlannedTask[];
  readonly missing: readonly MissingArm[];
  readonly device: DeviceClass;
  /** As resolved for the device class and the checkpoints. */
  readonly dtype: ComputeDtype;
}
