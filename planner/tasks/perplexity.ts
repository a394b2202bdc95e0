/** Perplexity tasks in a plan. */
import { digest } from '../../domain/identity.js';
import { documentWindows } from '../../domain/perplexity.js';
import type { ResolvedDocument, ResolvedPerplexityTask } from '../../domain/task.js';
import { groupBy } from '../../domain/groupBy.js';
import { documentCount, documentsOf, unknownDocuments } from './documents.js';
import { ascending, counting, isOfNeedle, type CellPoint, type TaskPlanner, type TaskShape } from './taskPlanner.js';

export const perplexity: TaskPlanner<'perplexity'> = {
  async resolve(spec, inputs) {
    const task: ResolvedPerplexityTask = {
      kind: 'perplexity',
      documents: await documentsOf(spec.documents, inputs),
      tokenizerDigest: inputs.tokenizerDigest,
      windows: spec.windows,
      lastTokens: spec.lastTokens,
      buckets: spec.buckets === undefined ? null : ascending(spec.buckets),
      contextTokens: inputs.contextTokens,
    };
    return { task, shape: shapeOf(task) };
  },
  axes: (spec, task, point) => (isOfNeedle(point) ? [] : (task?.documents ?? unknownDocuments(spec.documents)).map(({ id }) => ({ document: id }))),
  axesCount: (spec, point) => (isOfNeedle(point) ? 0 : documentCount(spec.documents)),
  // One pass over the longest context holds all shorter ones, where one table serves them all.
  cellLengths: ({ windows }, contextTokens, dependsOnLength) => (windows.kind === 'first' && !dependsOnLength ? contextTokens.slice(-1) : contextTokens),
  // Which lengths, last tokens and buckets are shown is a view of the losses.
  ingredients: ({ windows }) => ({ windows }),
  group: ({ document }) => document,
};

function shapeOf({ documents, windows }: ResolvedPerplexityTask): TaskShape<'perplexity'> {
  type Point = CellPoint<'perplexity'>;
  const byId = new Map<string, ResolvedDocument>(documents.map((document) => [document.id, document]));
  const windowsOf = ({ contextTokens, axes }: Point) => {
    const document = byId.get(axes.document);
    return documentWindows(windows, contextTokens, document?.headIds.length ?? 0, document?.tokens ?? null);
  };
  const tokensOf = (point: Point) => windowsOf(point).reduce((sum, { tokens }) => sum + tokens, 0);
  const segments: TaskShape<'perplexity'>['segments'] = (points, keepsKv) => {
    const all = points.flatMap((point) => windowsOf(point).map(({ start, tokens }) => ({ document: point.axes.document, start, tokens })));
    if (!keepsKv) return all.map(({ tokens }) => ({ start: 0, end: tokens }));
    // Windows of a document that start together are one, as long as the longest.
    return [...groupBy(all, ({ document, start }) => digest([document, start])).values()].map((together) => ({ start: 0, end: Math.max(...together.map(({ tokens }) => tokens)) }));
  };
  return {
    segments,
    growing: counting(segments),
    promptTokens: (points) => points.reduce((sum, point) => sum + tokensOf(point), 0),
    outputRows: (points) => points.reduce((sum, point) => sum + tokensOf(point), 0),
    probeRows: 0,
    resultBytes: (point) => FIXED_BYTES + tokensOf(point) * BYTES_A_TOKEN,
  };
}

const FIXED_BYTES = 1_000;
/** Loss as float32, length of the token's text as int16. */
const BYTES_A_TOKEN = 6;
