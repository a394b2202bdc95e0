/**
 * The AUROC within strata (auroc.ts) where each seed counts as often as a bootstrap drew it:
 *
 *     AUROC = sum of w_i w_j ([x_i > x_j] + [x_i = x_j] / 2) / sum of w_i w_j
 *
 * over pairs of a failing cell i and a passing cell j of one stratum, w the weights of their seeds. Cells are sorted once, so
 * that each draw is a single walk over them.
 */
import { comparable } from './auroc.js';
import { seedsOf, type SeedCell } from './seedCells.js';
import type { StratumOf } from './seedPermutation.js';

/** @returns from weights by seed, in the order of `seedsOf(cells)`, to the AUROC; null where the draw has no pair */
export function weightedAuroc(cells: readonly SeedCell[], stratumOf: StratumOf): (weights: Float64Array) => number | null {
  const place = new Map(seedsOf(cells).map((seed, at) => [seed, at]));
  const strata = new Map<string | number, number>();
  const sorted = comparable(cells.map((cell) => ({ ...cell, stratum: stratumOf(cell) })))
    .map((cell) => {
      if (!strata.has(cell.stratum)) strata.set(cell.stratum, strata.size);
      return { ...cell, at: strata.get(cell.stratum) ?? -1 };
    })
    .sort((a, b) => a.at - b.at || a.value - b.value);
  const seed = Uint32Array.from(sorted, (cell) => place.get(cell.seed) ?? 0);
  const failed = Uint8Array.from(sorted, (cell) => (cell.failed ? 1 : 0));
  /** Whether a cell begins a run of equal values, or a stratum. */
  const newValue = Uint8Array.from(sorted, (cell, at) => (at === 0 || sorted[at - 1]?.value !== cell.value || sorted[at - 1]?.at !== cell.at ? 1 : 0));
  const newStratum = Uint8Array.from(sorted, (cell, at) => (at === 0 || sorted[at - 1]?.at !== cell.at ? 1 : 0));
  return (weights) => {
    let [higher, pairs] = [0, 0];
    // Weights of this stratum: passing cells below, and those of the present run of equal values.
    let [below, failing, runPassing, runFailing] = [0, 0, 0, 0];
    const endRun = (): void => {
      higher += runFailing * (below + runPassing / 2);
      below += runPassing;
      failing += runFailing;
      [runPassing, runFailing] = [0, 0];
    };
    const endStratum = (): void => {
      pairs += failing * below;
      [below, failing] = [0, 0];
    };
    for (let at = 0; at < seed.length; at += 1) {
      if (newValue[at] === 1) endRun();
      if (newStratum[at] === 1) endStratum();
      const weight = weights[seed[at] ?? 0] ?? 0;
      if (failed[at] === 1) runFailing += weight;
      else runPassing += weight;
    }
    endRun();
    endStratum();
    return pairs === 0 ? null : higher / pairs;
  };
}
