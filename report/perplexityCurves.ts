/**
 * Rows of a sweep -> perplexity by context length: one curve an arm and task, over all its documents, weighted by token.
 *
 * With windows `first` a length without cells of its own is derived from a longer one: the plan gives every length its cells
 * where the arm's table depends on the length, so losses of another table are never taken. Documents without numbers are
 * counted, not guessed.
 */
import { groupBy } from '../domain/groupBy.js';
import { addLosses, bitsPerByte, perplexity, type LossSum, type PositionBucket } from '../domain/perplexity.js';
import type { ArmRow } from '../domain/rows.js';
import type { Gathered } from './gathered.js';
import { perplexityView, plannedPerplexity, type LengthLosses, type PerplexityCell, type PerplexityView } from './perplexityCells.js';

/** Losses of one document at one length. */
export interface DocumentLosses extends LengthLosses {
  readonly document: string;
}

export interface PerplexityPoint {
  readonly contextTokens: number;
  readonly documents: readonly DocumentLosses[];
  /** Documents of the arm that have no numbers here. */
  readonly missing: number;
  readonly losses: LossSum;
  /** Of the last k tokens. */
  readonly last: LossSum;
  /** exp of the mean loss; null where nothing is measured. */
  readonly perplexity: number | null;
  /** null where nothing is measured or tokens are no text. */
  readonly bitsPerByte: number | null;
}

export interface PerplexityCurve {
  readonly arm: ArmRow;
  /** By context length, those of the task. */
  readonly points: readonly PerplexityPoint[];
  /** Losses by position, over all documents at the longest length that has numbers. */
  readonly buckets: readonly PositionBucket[];
}

export interface PerplexityChart {
  /** Index into the spec's tasks. */
  readonly task: number;
  readonly view: PerplexityView;
  /** Ascending; the same for every arm. */
  readonly contexts: readonly number[];
  /** Names of the documents by id, as the plan gave them. */
  readonly names: ReadonlyMap<string, string>;
  /** By arm, as the spec lists them; an arm without cells of the task has none. */
  readonly curves: readonly PerplexityCurve[];
}

const ascending = (values: Iterable<number>): number[] => [...new Set(values)].sort((a, b) => a - b);

/** One chart per perplexity task, in the order of the spec. */
export function perplexityCharts(rows: Pick<Gathered, 'arms' | 'tasks' | 'perplexity'>): PerplexityChart[] {
  const arms = [...rows.arms].sort((a, b) => a.ordinal - b.ordinal);
  const byTask = groupBy(rows.perplexity, ({ task }) => task);
  return ascending(byTask.keys()).map((task) => {
    const cells = byTask.get(task) ?? [];
    const planned = plannedPerplexity(rows, task);
    const view = perplexityView(rows, task);
    const contexts = ascending([...(planned?.contextTokens ?? []), ...cells.map(({ contextTokens }) => contextTokens)]);
    const byArm = groupBy(cells, ({ armId }) => armId);
    return {
      task,
      view,
      contexts,
      names: new Map(planned?.documents.map(({ id, name }) => [id, name])),
      curves: arms.flatMap((arm): PerplexityCurve[] => {
        const own = byArm.get(arm.id);
        return own === undefined ? [] : [{ arm, points: contexts.map((context) => point(view, context, own)), buckets: bucketsOf(own) }];
      }),
    };
  });
}

function point(view: PerplexityView, contextTokens: number, cells: readonly PerplexityCell[]): PerplexityPoint {
  const sources = sourcesOf(view, contextTokens, cells);
  const documents = [...groupBy(sources, ({ document }) => document)].flatMap(([document, ofDocument]): DocumentLosses[] => {
    const own = ofDocument.flatMap(({ sums }) => sums ?? [])[0]?.get(contextTokens);
    return own === undefined ? [] : [{ document, ...own }];
  });
  const losses = addLosses(documents.map((document) => document.losses));
  const last = addLosses(documents.map((document) => document.last));
  return {
    contextTokens,
    documents,
    missing: new Set(cells.map(({ document }) => document)).size - documents.length,
    losses,
    last,
    perplexity: perplexity(losses),
    bitsPerByte: documents.length === 0 ? null : bitsPerByte(losses),
  };
}

/** Cells whose losses give those at a length: its own, else longer ones, the shortest first. */
function sourcesOf({ windows }: PerplexityView, contextTokens: number, cells: readonly PerplexityCell[]): readonly PerplexityCell[] {
  const own = cells.filter((cell) => cell.contextTokens === contextTokens);
  if (own.length > 0 || windows.kind !== 'first') return own;
  return cells.filter((cell) => cell.contextTokens > contextTokens).sort((a, b) => a.contextTokens - b.contextTokens);
}

function bucketsOf(cells: readonly PerplexityCell[]): readonly PositionBucket[] {
  const measured = cells.filter(({ sums }) => sums !== null);
  const longest = Math.max(...measured.map(({ contextTokens }) => contextTokens));
  const ofDocuments = measured.flatMap(({ contextTokens, buckets }) => (contextTokens === longest ? buckets : []));
  return [...groupBy(ofDocuments, ({ from }) => from)]
    .sort(([a], [b]) => a - b)
    .map(([from, same]) => ({ from, to: Math.max(...same.map(({ to }) => to)), losses: addLosses(same.map(({ losses }) => losses)) }));
}
