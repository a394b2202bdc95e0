/**
 * Perplexity cells with their losses summed at every length that they may be asked for. The losses of single tokens, a hundred
 * thousand of a long document, go with their page.
 */
import { addLosses, countedTokens, firstTokens, lastTokens, positionBuckets, type LossSum, type PositionBucket } from '../domain/perplexity.js';
import type { PerplexityNumbers } from '../domain/measurement.js';
import type { PerplexityCellRow, SweepHead } from '../domain/rows.js';
import type { ResolvedPerplexityTask } from '../domain/task.js';

/** How a task is shown: of cells whose task the current revision does not have, every length by itself. */
export type PerplexityView = Pick<ResolvedPerplexityTask, 'windows' | 'lastTokens' | 'buckets'>;

export interface LengthLosses {
  /** In the convention of the task's windows. */
  readonly losses: LossSum;
  /** Of the last k tokens. */
  readonly last: LossSum;
}

export interface PerplexityCell extends Pick<PerplexityCellRow, 'armId' | 'task' | 'contextTokens' | 'document'> {
  /** By context length; of a length that the cell says nothing of there is none. null where nothing is measured. */
  readonly sums: ReadonlyMap<number, LengthLosses> | null;
  /** Losses by position. */
  readonly buckets: readonly PositionBucket[];
}

/** Cells read at once: a document of 128k tokens is megabytes. */
export const LOSS_PAGE_CELLS = 16;

/** The perplexity task of that index, where the current revision has it. */
export const plannedPerplexity = ({ tasks }: Pick<SweepHead, 'tasks'>, task: number): ResolvedPerplexityTask | null => {
  const found = tasks[task];
  return found?.kind === 'perplexity' ? found : null;
};

export const perplexityView = (head: Pick<SweepHead, 'tasks'>, task: number): PerplexityView => plannedPerplexity(head, task) ?? { windows: { kind: 'first' }, lastTokens: 256, buckets: null };

/** @param lengths of the task: those of its cells, and planned ones */
export function perplexityCell({ armId, task, contextTokens, document, perplexity }: PerplexityCellRow, view: PerplexityView, lengths: readonly number[]): PerplexityCell {
  const named = { armId, task, contextTokens, document };
  if (perplexity === null) return { ...named, sums: null, buckets: [] };
  const asked = lengths.filter((length) => length === contextTokens || (view.windows.kind === 'first' && length < contextTokens));
  const sums = asked.flatMap((length) => {
    const losses = lossesAt(view, length, perplexity);
    return losses === null ? [] : [[length, losses] as const];
  });
  return { ...named, sums: new Map(sums), buckets: positionBuckets(perplexity, view.buckets) };
}

function lossesAt({ windows, lastTokens: count }: PerplexityView, contextTokens: number, numbers: PerplexityNumbers): LengthLosses | null {
  const losses = windows.kind === 'first' ? firstTokens(numbers, contextTokens) : countedTokens(numbers);
  // No window is as long where a document of windows side by side is shorter than one.
  return losses === null ? null : { losses, last: lastTokens(numbers, contextTokens, count) ?? addLosses([]) };
}
