/**
 * A resolved sweep: the spec with every file read and every identity known. Cells and their keys follow from it alone.
 */
import type { DeviceClass } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import type { RopeGeometry } from '../domain/method.js';
import type { LeftOut, MissingCheckpoint, PlannedArm } from '../domain/plan.js';
import type { ModelConfig } from '../model/config.js';
import type { ArmPoint, Selection } from './selection.js';
import type { PlannedTask } from './tasks/registry.js';

export interface ResolvedArm {
  readonly arm: PlannedArm;
  /** As conditions name it. */
  readonly point: ArmPoint;
  /** Architecture of its checkpoint: what costs are counted from. */
  readonly config: ModelConfig;
  /** What its tables are made from: refinement needs them at lengths that the spec does not name. */
  readonly geometry: RopeGeometry;
}

export interface ResolvedSweep {
  /** By model, methods in the order of the spec, each at its continual-pretrain lengths. */
  readonly arms: readonly ResolvedArm[];
  /** By model, in the order of the spec. */
  readonly tasks: readonly PlannedTask[];
  readonly missing: readonly MissingCheckpoint[];
  readonly selection: Selection;
  /** Cells that conditions leave out. */
  readonly leftOut: readonly LeftOut[];
  /** What is odd but not wrong. */
  readonly notices: readonly string[];
  readonly device: DeviceClass;
  /** Of the same provider, asked once for cells that do not fit `device`; null where the spec names none. */
  readonly larger: DeviceClass | null;
  /** As resolved for the device class and the checkpoints. */
  readonly dtype: ComputeDtype;
}
