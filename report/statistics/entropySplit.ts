/**
 * Mean attention entropy of passing and of failing cells at the same context length.
 *
 * Raw entropy is bounded by ln(keys) and so grows with length by construction: passing and failing cells are only
 * compared within one length, never across. Like is compared with like: at a length, all cells give `entropy`
 * (Algorithm 1: rows of the tokens the model generated) or, if one of them has none, all give `entropyFirst`
 * (first answer row, the same under any decoding). Nats.
 */
import { groupBy } from '../../domain/groupBy.js';

/** One measured cell. */
export interface EntropyCell {
  readonly contextTokens: number;
  readonly passed: boolean;
  readonly entropy: number | null;
  readonly entropyFirst: number;
}

export type EntropySource = 'entropy' | 'entropyFirst';

export interface EntropyMean {
  /** Nats. */
  readonly mean: number;
  readonly n: number;
  readonly source: EntropySource;
}

export interface EntropySplit {
  readonly contextTokens: number;
  readonly source: EntropySource;
  readonly passing: EntropyMean;
  readonly failing: EntropyMean;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Mean over cells of what they all have; null without cells. */
export function entropyMean(
  cells: readonly Pick<EntropyCell, 'entropy' | 'entropyFirst'>[],
  source: EntropySource = sourceOf(cells),
): EntropyMean | null {
  if (cells.length === 0) return null;
  const values = cells.map((cell) => (source === 'entropy' ? (cell.entropy ?? cell.entropyFirst) : cell.entropyFirst));
  return { mean: mean(values), n: cells.length, source };
}

const sourceOf = (cells: readonly Pick<EntropyCell, 'entropy'>[]): EntropySource =>
  cells.every(({ entropy }) => entropy !== null) ? 'entropy' : 'entropyFirst';

/** Every context length where passing and failing cells both exist, ascending. */
export function entropySplits(cells: readonly EntropyCell[]): EntropySplit[] {
  const byContext = groupBy(cells, ({ contextTokens }) => contextTokens);
  return [...byContext]
    .sort(([a], [b]) => a - b)
    .flatMap(([contextTokens, atContext]) => {
      const source = sourceOf(atContext);
      const passing = entropyMean(atContext.filter(({ passed }) => passed), source);
      const failing = entropyMean(atContext.filter(({ passed }) => !passed), source);
      return passing === null || failing === null ? [] : [{ contextTokens, source, passing, failing }];
    });
}

/**
 * The split a table shows: the one nearest to the frontier, in ln(contextTokens); of two equally near, the shorter.
 *
 * @param frontierTokens the shortest tested context below 90 % recall, or the longest tested if there is none
 */
export function splitNearest(splits: readonly EntropySplit[], frontierTokens: number): EntropySplit | null {
  const distance = ({ contextTokens }: EntropySplit): number => Math.abs(Math.log(contextTokens / frontierTokens));
  return splits.reduce<EntropySplit | null>(
    (nearest, split) => (nearest === null || distance(split) < distance(nearest) ? split : nearest),
    null,
  );
}
