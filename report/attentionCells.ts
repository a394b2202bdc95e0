/**
 * Attention cells with what reports need of their heads: the divergence to each reference of the task and a curve an axis. The heads
 * themselves are megabytes a cell of a large model and go with their page. The store derives the same divergences for dashboards.
 */
import { commonBins, jensenShannon, meanJensenShannon, withBins } from '../domain/divergence.js';
import type { AttentionDistribution, AttentionNumbers } from '../domain/measurement.js';
import { isAttentionRow, type ArmRow, type AttentionCellRow } from '../domain/rows.js';
import type { AttentionReferenceSpec, KeyAxis } from '../domain/taskSpec.js';
import { curvePoints, floats, type DistributionPoint } from './attentionCurve.js';
import type { SweepSource } from './source.js';

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

export interface MeanDistribution extends Omit<AttentionDistribution, 'heads'> {
  readonly points: readonly DistributionPoint[];
}

export interface AttentionMeans extends Omit<AttentionNumbers, 'distributions'> {
  readonly distributions: readonly MeanDistribution[];
}

export interface AttentionCell extends Pick<AttentionCellRow, 'armId' | 'task' | 'contextTokens' | 'state'> {
  /** null where nothing is measured. */
  readonly numbers: AttentionMeans | null;
  readonly divergences: readonly AttentionDivergence[];
}

/** Cells read at once: all heads of a cell are read with it. */
export const HEAD_PAGE_CELLS = 4;

interface OpenDistribution extends Omit<AttentionDistribution, 'heads'> {
  readonly heads: Float32Array | null;
}

const opened = ({ heads, ...distribution }: AttentionDistribution): OpenDistribution => ({ ...distribution, heads: heads === null ? null : floats(heads) });

export interface AttentionReference {
  readonly task: number;
  readonly name: string;
  readonly cell: Pick<AttentionCellRow, 'armId' | 'key'>;
  readonly distributions: readonly OpenDistribution[];
}

/** The measured cells that the tasks of a sweep name as references. */
export async function attentionReferences(source: SweepSource): Promise<AttentionReference[]> {
  const found: AttentionReference[] = [];
  for (const [task, resolved] of source.head.tasks.entries()) {
    if (resolved.kind !== 'attention') continue;
    for (const reference of resolved.references) {
      const cell = await referenceCell(source, task, reference);
      if (cell?.attention == null) continue;
      const name = `${reference.method}${reference.continualPretrainContextTokens === null ? '' : `, continued at ${reference.continualPretrainContextTokens},`} at ${reference.contextTokens}`;
      found.push({ task, name, cell, distributions: cell.attention.distributions.map(opened) });
    }
  }
  return found;
}

/** The first one that the reference describes. */
async function referenceCell(source: SweepSource, task: number, reference: AttentionReferenceSpec): Promise<AttentionCellRow | null> {
  const arms = source.head.arms.filter((arm) => isArm(arm, reference)).map(({ id }) => id);
  for await (const page of source.cells({ kinds: ['attention'], arms, pageCells: HEAD_PAGE_CELLS })) {
    const cell = page.filter(isAttentionRow).find((one) => one.task === task && one.contextTokens === reference.contextTokens);
    if (cell !== undefined) return cell;
  }
  return null;
}

export const isArm = (arm: ArmRow, { method, continualPretrainContextTokens }: AttentionReferenceSpec): boolean =>
  (arm.methodLabel === method || arm.method.name === method) && arm.continualPretrainContextTokens === continualPretrainContextTokens;

/** @param references of all tasks */
export function attentionCell(cell: AttentionCellRow, references: readonly AttentionReference[]): AttentionCell {
  const { armId, task, contextTokens, state, attention } = cell;
  if (attention === null) return { armId, task, contextTokens, state, numbers: null, divergences: [] };
  const distributions = attention.distributions.map(opened);
  return {
    armId,
    task,
    contextTokens,
    state,
    numbers: { ...attention, distributions: distributions.map(({ heads, ...distribution }) => ({ ...distribution, points: curvePoints(distribution, heads) })) },
    divergences: references.filter((reference) => reference.task === task).flatMap((reference) => divergencesTo(reference, distributions, cell)),
  };
}

const divergencesTo = (reference: AttentionReference, distributions: readonly OpenDistribution[], { armId, key }: AttentionCellRow): AttentionDivergence[] =>
  reference.distributions.flatMap((theirs) => {
    const ours = distributions.find(({ axis }) => axis === theirs.axis);
    if (ours === undefined) return [];
    const bins = commonBins(theirs.axis, ours.bins, theirs.bins);
    const heads = (one: OpenDistribution): Float64Array | null => (one.heads === null || bins === null ? null : withBins(one.heads, one.bins, bins));
    const [p, q] = [heads(ours), heads(theirs)];
    return [{
      axis: theirs.axis,
      reference: reference.name,
      isReference: armId === reference.cell.armId && key === reference.cell.key,
      meanOfHeads: bins !== null && p !== null && q !== null ? meanJensenShannon(p, q, bins) : null,
      ofMean: bins === null ? null : jensenShannon(withBins(ours.mean, ours.bins, bins), withBins(theirs.mean, theirs.bins, bins)),
    }];
  });
