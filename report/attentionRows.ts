/**
 * Attention tasks -> what their tables show: per arm and context length the entropy, and the divergence to each reference
 * on each axis. The store derives the same divergences for dashboards.
 */
import { commonBins, jensenShannon, meanJensenShannon, withBins } from '../domain/divergence.js';
import { groupBy } from '../domain/groupBy.js';
import type { AttentionDistribution, AttentionNumbers } from '../domain/measurement.js';
import { isAttentionRow, type ArmRow, type AttentionCellRow, type SweepRows } from '../domain/rows.js';
import type { ResolvedAttentionTask } from '../domain/task.js';
import type { AttentionReferenceSpec, KeyAxis } from '../domain/taskSpec.js';

/** A cell's divergence to a reference on one axis, in nats. */
export interface AttentionDivergence {
  readonly axis: KeyAxis;
  /** `none at 2048`. */
  readonly reference: string;
  /** Whether the cell is itself what it is compared to. */
  readonly isReference: boolean;
  /** Mean over layers and heads; null where heads are not stored, or the bins of the two lengths differ. */
  readonly meanOfHeads: number | null;
  /** Of the distributions averaged over layers and heads; null where the bins differ. */
  readonly ofMean: number | null;
}

export interface AttentionRow {
  readonly arm: ArmRow;
  readonly contextTokens: number;
  /** null where nothing is measured. */
  readonly numbers: AttentionNumbers | null;
  readonly state: AttentionCellRow['state'];
  readonly divergences: readonly AttentionDivergence[];
}

export interface AttentionTable {
  /** Index into the spec's tasks. */
  readonly task: number;
  /** By arm in the order of the spec, then length. */
  readonly rows: readonly AttentionRow[];
}

export function attentionTables(sweep: SweepRows): AttentionTable[] {
  const arms = new Map(sweep.arms.map((arm) => [arm.id, arm]));
  const byTask = groupBy(sweep.cells.filter(isAttentionRow), ({ task }) => task);
  return [...byTask].sort(([a], [b]) => a - b).map(([task, cells]) => {
    const resolved = sweep.tasks[task];
    const references = resolved?.kind === 'attention' ? referencesOf(resolved, cells, arms) : [];
    const rows = cells.flatMap((cell): AttentionRow[] => {
      const arm = arms.get(cell.armId);
      if (arm === undefined) return [];
      const { contextTokens, attention: numbers, state } = cell;
      return [{ arm, contextTokens, numbers, state, divergences: numbers === null ? [] : references.flatMap((reference) => divergencesTo(reference, numbers, cell)) }];
    });
    return { task, rows: rows.sort((a, b) => a.arm.ordinal - b.arm.ordinal || a.contextTokens - b.contextTokens) };
  });
}

interface Reference {
  readonly name: string;
  readonly cell: AttentionCellRow;
  readonly distributions: readonly AttentionDistribution[];
}

/** The measured cells that the task names as references. */
function referencesOf({ references }: ResolvedAttentionTask, cells: readonly AttentionCellRow[], arms: ReadonlyMap<string, ArmRow>): Reference[] {
  return references.flatMap((reference) => {
    const cell = cells.find((one) => one.contextTokens === reference.contextTokens && isArm(arms.get(one.armId), reference));
    const name = `${reference.method}${reference.continualPretrainContextTokens === null ? '' : `, continued at ${reference.continualPretrainContextTokens},`} at ${reference.contextTokens}`;
    return cell?.attention == null ? [] : [{ name, cell, distributions: cell.attention.distributions }];
  });
}

export const isArm = (arm: ArmRow | undefined, { method, continualPretrainContextTokens }: AttentionReferenceSpec): boolean =>
  arm !== undefined && (arm.methodLabel === method || arm.method.name === method) && arm.continualPretrainContextTokens === continualPretrainContextTokens;

const divergencesTo = (reference: Reference, numbers: AttentionNumbers, cell: AttentionCellRow): AttentionDivergence[] =>
  reference.distributions.flatMap((theirs) => {
    const ours = numbers.distributions.find(({ axis }) => axis === theirs.axis);
    if (ours === undefined) return [];
    const bins = commonBins(theirs.axis, ours.bins, theirs.bins);
    const heads = (one: AttentionDistribution): Float64Array | null => (one.heads === null || bins === null ? null : withBins(floats(one.heads), one.bins, bins));
    const [p, q] = [heads(ours), heads(theirs)];
    return [{
      axis: theirs.axis,
      reference: reference.name,
      isReference: cell === reference.cell,
      meanOfHeads: bins !== null && p !== null && q !== null ? meanJensenShannon(p, q, bins) : null,
      ofMean: bins === null ? null : jensenShannon(withBins(ours.mean, ours.bins, bins), withBins(theirs.mean, theirs.bins, bins)),
    }];
  });

/** Float32, little-endian. */
export function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}
