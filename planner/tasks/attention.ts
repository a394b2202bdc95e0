/** Attention tasks in a plan. */
import { digest } from '../../domain/identity.js';
import type { ResolvedAttentionTask } from '../../domain/task.js';
import type { KeyAxis } from '../../domain/taskSpec.js';
import { documentsOf } from './documents.js';
import { counting, isOfNeedle, type CellPoint, type TaskPlanner, type TaskShape } from './taskPlanner.js';

export const attention: TaskPlanner<'attention'> = {
  async resolve(spec, inputs) {
    const documents = await documentsOf(spec.documents, inputs);
    const task: ResolvedAttentionTask = {
      kind: 'attention',
      documents,
      documentsDigest: digest(documents.map(({ id }) => id)),
      tokenizerDigest: inputs.tokenizerDigest,
      rows: spec.rows,
      axes: spec.axes,
      references: spec.references,
      probes: spec.probes,
    };
    return { task, shape: shapeOf(task) };
  },
  axes: (_spec, _task, point) => (isOfNeedle(point) ? [] : [{}]),
  axesCount: (_spec, point) => (isOfNeedle(point) ? 0 : 1),
  cellLengths: (_spec, contextTokens) => contextTokens,
  // What cells are compared to is a view of their distributions.
  ingredients: ({ documentsDigest, rows, axes, probes }) => ({ documentsDigest, rows, axes, probes: { stored: probes } }),
  group: () => 0,
};

/** Upper bounds of the bins of an axis at n keys. */
const BINS: { readonly [A in KeyAxis]: (keys: number) => number } = { fraction: () => 129, index: (keys) => keys, distance: () => 256 };

function shapeOf({ documents, rows, axes, probes }: ResolvedAttentionTask): TaskShape<'attention'> {
  type Points = readonly CellPoint<'attention'>[];
  const count = documents.length;
  const whole = (lengths: readonly number[]) => lengths.flatMap((end) => Array.from({ length: count }, () => ({ start: 0, end })));
  const lengths = (points: Points) => points.map(({ contextTokens }) => contextTokens);
  // A longer context continues the shorter one of the same document.
  const segments: TaskShape<'attention'>['segments'] = (points, keepsKv) => whole(keepsKv && points.length > 0 ? [Math.max(...lengths(points))] : lengths(points));
  return {
    segments,
    growing: counting(segments),
    promptTokens: (points) => lengths(points).reduce((sum, length) => sum + count * length, 0),
    outputRows: () => 0,
    probeRows: rows,
    resultBytes: ({ contextTokens }, { layers, heads }) =>
      axes.reduce((sum, axis) => sum + BINS[axis](contextTokens) * (8 + (probes === 'heads' ? 4 * layers * heads : 0)), FIXED_BYTES),
  };
}

const FIXED_BYTES = 1_000;
