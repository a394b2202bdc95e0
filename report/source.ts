/** Where the rows of reports and exports come from: a sweep of the store, read page by page, for its cells may be a million. */
import type { ArmId, CellKey } from '../domain/ids.js';
import type { CellRow, CellsWanted, DivergenceRow, NeedleScoreRow, SweepHead, TaskLength } from '../domain/rows.js';

export interface SweepSource {
  readonly head: SweepHead;
  /** Lengths that there are cells of, by task. */
  readonly lengths: readonly TaskLength[];
  /** In the order of exports: arm, task, contextTokens, the task's axes, key. */
  cells(wanted: CellsWanted): AsyncIterable<readonly CellRow[]>;
  /** Needle cells of the arms with a few of their numbers, in the same order; a page is of one arm and task. */
  needleScores(arms: readonly ArmId[]): AsyncIterable<readonly NeedleScoreRow[]>;
  divergences(keys: readonly CellKey[]): Promise<readonly DivergenceRow[]>;
}
