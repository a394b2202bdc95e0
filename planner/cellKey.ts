/**
 * The cell key: SHA-256 over the identities of everything that determines a cell's numbers, and over nothing else.
 *
 * A measurement is found by its key alone and shared by all sweeps, so an ingredient that is missing here would hand out
 * stale numbers, and one too many would compute them twice. Where a cell ran, the ids of its tokens and the scorer's version
 * are stored with the measurement and checked; they do not enter. No ingredient needs weights, tokens or a device.
 */
import { hash } from 'node:crypto';
import type { DeviceClass } from '../domain/device.js';
import { NUMERICS_VERSION, type ComputeDtype } from '../domain/engine.js';
import { canonicalJson, digest, type Plain } from '../domain/identity.js';
import { id, type CellKey, type TableDigest, type WeightsId } from '../domain/ids.js';
import type { PlannedArm } from '../domain/plan.js';
import type { ResolvedTaskOf, TaskAxes, TaskKind } from '../domain/task.js';
import { plannerOf } from './tasks/registry.js';

/** What all cells of one arm and task have in common. */
export interface SharedIngredients {
  readonly taskKind: TaskKind;
  readonly weightsId: WeightsId;
  readonly tokenizerDigest: string;
  readonly dtype: ComputeDtype;
  readonly numericsVersion: number;
  /** What the kind of task adds (planner/tasks). */
  readonly task: Readonly<Record<string, Plain>>;
}

/** What varies between the cells of one arm and task. */
export interface PointIngredients {
  /** Of the RoPE table at contextTokens. */
  readonly tableDigest: TableDigest;
  readonly contextTokens: number;
  /** The task's own axes, the seed among them. */
  readonly axes: TaskAxes;
}

export type CellIngredients = SharedIngredients & PointIngredients;

export function sharedIngredients<K extends TaskKind>(
  arm: Pick<PlannedArm, 'checkpoint'>,
  kind: K,
  task: ResolvedTaskOf<K>,
  { device, dtype }: { readonly device: DeviceClass; readonly dtype: ComputeDtype },
): SharedIngredients {
  return {
    taskKind: kind,
    weightsId: arm.checkpoint.weightsId,
    tokenizerDigest: task.tokenizerDigest,
    dtype,
    numericsVersion: NUMERICS_VERSION,
    task: plannerOf<K>(kind).ingredients(task, device),
  };
}

/**
 * Hashes what cells have in common once; one short hash a cell is left (millions of cells are planned).
 *
 * @returns the keys of cells at a table and length, by their axes
 */
export function cellKeys(shared: SharedIngredients): (tableDigest: TableDigest, contextTokens: number, all: readonly TaskAxes[]) => CellKey[] {
  const common = digest({ ...shared });
  return (tableDigest, contextTokens, all) => {
    const place = `${common}/${tableDigest}/${contextTokens}/`;
    return textsOf(all).map((text) => id<CellKey>(hash('sha256', place + text, 'hex')));
  };
}

/** Cells of all arms and context lengths share the list of their axes. */
const texts = new WeakMap<readonly TaskAxes[], readonly string[]>();
function textsOf(all: readonly TaskAxes[]): readonly string[] {
  const known = texts.get(all) ?? all.map((axes) => canonicalJson({ ...axes }));
  texts.set(all, known);
  return known;
}
