/** `--rows attention`, `--rows divergences` and `--rows heads`: attention tasks (docs/attention.md). */
import type { AttentionDistribution, AttentionNumbers } from '../../domain/measurement.js';
import { isAttentionRow, type ArmRow, type AttentionCellRow, type DivergenceRow } from '../../domain/rows.js';
import { isArm } from '../attentionCells.js';
import { armColumns, armOf, runColumns, type OfArm } from './armColumns.js';
import { result, type Column } from './column.js';
import type { SweepSource } from '../source.js';
import { exportTable, PAGE_CELLS } from './table.js';

interface OfCell extends OfArm {
  readonly cell: AttentionCellRow;
}

interface OfAxis extends OfCell {
  readonly numbers: AttentionNumbers;
  readonly distribution: AttentionDistribution;
}

interface OfReference extends OfCell {
  readonly referenceArm: ArmRow;
  readonly divergence: DivergenceRow;
}

interface OfBin extends OfAxis {
  readonly layer: number;
  readonly attentionHead: number;
  readonly bin: number;
  readonly mass: number;
}

const cellColumns = <Row extends OfCell>(): readonly Column<Row>[] => [
  result('key', 'string', 'cell key: identity of all that determines the numbers', ({ cell }) => cell.key),
  result('task', 'int64', "index into the sweep file's tasks, from 0", ({ cell }) => cell.task),
  result('contextTokens', 'int64, tokens', 'every input token of a document', ({ cell }) => cell.contextTokens),
];

const AXIS = ['string', '`fraction`, `distance` or `index` (docs/attention.md)'] as const;

const DISTRIBUTION_COLUMNS: readonly Column<OfAxis>[] = [
  ...runColumns<OfAxis>(),
  ...armColumns<OfAxis>(),
  ...cellColumns<OfAxis>(),
  result('layers', 'int64', 'layers of the model', ({ numbers }) => numbers.layers),
  result('headCount', 'int64', 'attention heads of a layer', ({ numbers }) => numbers.headCount),
  result('documents', 'int64', 'documents that it is a mean over', ({ numbers }) => numbers.documents),
  result('rows', 'int64', 'query rows of each document', ({ numbers }) => numbers.rows),
  result('entropy', 'double, nats', 'mean over documents, rows, layers and heads; the same for every axis of a cell', ({ numbers }) => numbers.entropy),
  result('entropyNormalized', 'double', 'mean of H / ln n, n = visible keys', ({ numbers }) => numbers.entropyNormalized),
  result('sinkMass', 'double', 'attention on key 0, mean', ({ numbers }) => numbers.sinkMass),
  result('axis', ...AXIS, ({ distribution }) => distribution.axis),
  result('bins', 'int64', 'bins of the axis', ({ distribution }) => distribution.bins),
  result('mean', 'double[]', 'mass of each bin, mean over layers and heads; sums to 1', ({ distribution }) => distribution.mean),
  result('tokenDigest', 'string', 'SHA-256 over the token ids of the documents', ({ numbers }) => numbers.tokenDigest),
];

const DIVERGENCE_COLUMNS: readonly Column<OfReference>[] = [
  ...runColumns<OfReference>(),
  ...armColumns<OfReference>(),
  ...cellColumns<OfReference>(),
  result('axis', ...AXIS, ({ divergence }) => divergence.axis),
  result('referenceArm', 'string', 'label of the arm that it is compared to', ({ referenceArm }) => referenceArm.label),
  result('referenceArmId', 'string', 'its id', ({ referenceArm }) => referenceArm.id),
  result('referenceKey', 'string', 'key of its cell', ({ divergence }) => divergence.referenceKey),
  result('referenceContextTokens', 'int64, tokens', 'and its length', ({ divergence }) => divergence.referenceContextTokens),
  result('meanOfHeads', 'double, nats', 'mean over layers and heads of the Jensen-Shannon divergence, 0..ln 2; none with `probes: summary`', ({ divergence }) => divergence.meanOfHeads),
  result('ofMean', 'double, nats', 'divergence of the two distributions averaged over layers and heads', ({ divergence }) => divergence.ofMean),
];

const HEAD_COLUMNS: readonly Column<OfBin>[] = [
  ...runColumns<OfBin>(),
  result('arm', 'string', 'label of the arm: checkpoint x method', ({ arm }) => arm.label),
  result('armId', 'string', 'its id', ({ arm }) => arm.id),
  ...cellColumns<OfBin>(),
  result('axis', ...AXIS, ({ distribution }) => distribution.axis),
  result('layer', 'int64', 'from 0', ({ layer }) => layer),
  result('head', 'int64', 'from 0', ({ attentionHead }) => attentionHead),
  result('bin', 'int64', 'of the axis, from 0', ({ bin }) => bin),
  result('mass', 'double', 'attention on the keys of the bin, mean over documents and rows; float32', ({ mass }) => mass),
];

/** A page of heads: distributions of every head fill memory, and their rows more. */
const HEAD_PAGE_CELLS = 8;

async function* cellPages(source: SweepSource, pageCells: number, headDistributions: boolean): AsyncGenerator<OfCell[]> {
  const { head } = source;
  const arm = armOf(source);
  for await (const page of source.cells({ kinds: ['attention'], pageCells, headDistributions })) {
    yield page.filter(isAttentionRow).map((cell) => ({ head, arm: arm(cell), cell }));
  }
}

const axesOf = (row: OfCell): OfAxis[] => {
  const numbers = row.cell.attention;
  return numbers === null ? [] : numbers.distributions.map((distribution) => ({ ...row, numbers, distribution }));
};

async function* distributionPages(source: SweepSource): AsyncGenerator<readonly OfAxis[]> {
  for await (const page of cellPages(source, PAGE_CELLS, false)) yield page.flatMap(axesOf);
}

async function* divergencePages(source: SweepSource): AsyncGenerator<readonly OfReference[]> {
  const { head } = source;
  const arms = new Map(head.arms.map((arm) => [arm.id, arm]));
  /** Those that the sweep's own task names: another sweep with the same cells may name others. */
  const namedBy = ({ task }: AttentionCellRow, arm: ArmRow, contextTokens: number): boolean => {
    const resolved = head.tasks[task];
    return resolved?.kind === 'attention' && resolved.references.some((reference) => reference.contextTokens === contextTokens && isArm(arm, reference));
  };
  for await (const page of cellPages(source, PAGE_CELLS, false)) {
    const found = await source.divergences(page.map(({ cell }) => cell.key));
    yield page.flatMap((row) =>
      found.flatMap((divergence): OfReference[] => {
        const referenceArm = divergence.key === row.cell.key ? arms.get(divergence.referenceArmId) : undefined;
        return referenceArm !== undefined && namedBy(row.cell, referenceArm, divergence.referenceContextTokens) ? [{ ...row, referenceArm, divergence }] : [];
      }),
    );
  }
}

async function* headPages(source: SweepSource): AsyncGenerator<readonly OfBin[]> {
  for await (const page of cellPages(source, HEAD_PAGE_CELLS, true)) for (const row of page.flatMap(axesOf)) yield* headsOf(row);
}

/** One page a layer: [layers][heads][bins] of one cell may be a hundred thousand rows. */
function* headsOf(row: OfAxis): Generator<readonly OfBin[]> {
  const { headCount, layers } = row.numbers;
  const { bins, heads } = row.distribution;
  if (heads === null) return;
  const bytes = Buffer.from(heads, 'base64');
  for (let layer = 0; layer < layers; layer += 1) {
    yield Array.from({ length: headCount * bins }, (_, at) => ({
      ...row,
      layer,
      attentionHead: Math.floor(at / bins),
      bin: at % bins,
      mass: bytes.readFloatLE(4 * (layer * headCount * bins + at)),
    }));
  }
}

export const ATTENTION = exportTable('One row a measured attention cell and axis, with its mean distribution.', DISTRIBUTION_COLUMNS, distributionPages);
export const DIVERGENCES = exportTable('One row a measured attention cell, axis and reference of its task that is measured.', DIVERGENCE_COLUMNS, divergencePages);
export const HEADS = exportTable('One row a measured attention cell, axis, layer, head and bin: long, so it is asked for by name. None with `probes: summary`.', HEAD_COLUMNS, headPages);
