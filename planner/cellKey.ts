/**
 * The cell key: SHA-256 over the identities of everything that determines a cell's numbers, and over nothing else.
 *
 * A measurement is found by its key alone and shared by all sweeps, so an ingredient that is missing here would hand out
 * stale numbers, and one too many would compute them twice. Where a cell ran, the ids of its tokens and the scorer's version
 * are stored with the measurement and checked; they do not enter. No ingredient needs weights, tokens or a device.
 */
import { hash } from 'node:crypto';
import { NUMERICS_VERSION, type ComputeDtype } from '../domain/engine.js';
import { canonicalJson, digest } from '../domain/identity.js';
import { id, type CellKey, type TableDigest, type WeightsId } from '../domain/ids.js';
import { HEAD_PROBES } from '../domain/measurement.js';
import type { NeedleAxes, PlannedArm } from '../domain/plan.js';
import type { ResolvedTask, TaskKind } from '../domain/task.js';

/** How answers are decoded where KV is kept: failing cells are completed greedily (a device without KV cannot). */
const DECODING = { answer: 'teacherForced', failing: 'greedy' } as const;

/** What all cells of one arm and task have in common. */
export interface SharedIngredients {
  readonly taskKind: TaskKind;
  readonly weightsId: WeightsId;
  readonly tokenizerDigest: string;
  readonly templateDigest: string;
  readonly haystackDigest: string;
  readonly needleDigest: string;
  readonly dtype: ComputeDtype;
  readonly decoding: Readonly<Record<string, string>>;
  /** What is stored of attention: names of the probes and how finely. */
  readonly probes: { readonly stored: string; readonly names: readonly string[] };
  readonly numericsVersion: number;
}

/** What varies between the cells of one arm and task. */
export interface PointIngredients {
  /** Of the RoPE table at contextTokens. */
  readonly tableDigest: TableDigest;
  readonly contextTokens: number;
  /** The task's own axes, the seed among them. */
  readonly axes: NeedleAxes;
}

export type CellIngredients = SharedIngredients & PointIngredients;

export function sharedIngredients(arm: PlannedArm, task: ResolvedTask, dtype: ComputeDtype): SharedIngredients {
  return {
    taskKind: task.kind,
    weightsId: arm.checkpoint.weightsId,
    tokenizerDigest: task.tokenizerDigest,
    templateDigest: task.templateDigest,
    haystackDigest: task.haystackDigest,
    needleDigest: task.needleDigest,
    dtype,
    decoding: DECODING,
    probes: { stored: task.probes, names: HEAD_PROBES },
    numericsVersion: NUMERICS_VERSION,
  };
}

/** Hashes the shared part once; the function returned costs one short hash a cell (millions of cells are planned). */
export function cellKeys(shared: SharedIngredients): (point: PointIngredients) => CellKey {
  const common = digest({ ...shared });
  // Cells of all context lengths share their axes objects.
  const texts = new WeakMap<NeedleAxes, string>();
  return ({ tableDigest, contextTokens, axes }) => {
    const axesText = texts.get(axes) ?? canonicalJson({ ...axes });
    texts.set(axes, axesText);
    return id<CellKey>(hash('sha256', `${common}/${tableDigest}/${contextTokens}/${axesText}`, 'hex'));
  };
}
