/** Cells without numbers, grouped by why: what a person reads before looking at single cells. */
import type { CellRow, SweepRows } from '../domain/rows.js';
import { groupBy } from '../domain/groupBy.js';

export interface OutcomeGroup {
  readonly state: 'failed' | 'infeasible' | 'diverged';
  readonly reason: string;
  readonly cells: readonly CellRow[];
}

const NO_REASON = { failed: 'no reason recorded', infeasible: 'no reason recorded', diverged: 'the output of the model was not finite' } as const;

/** Failed, infeasible and diverged cells by state and reason, the largest group first. */
export function outcomeGroups(rows: SweepRows): OutcomeGroup[] {
  const without = rows.cells.flatMap((cell) => {
    const { state } = cell;
    return state === 'failed' || state === 'infeasible' || state === 'diverged'
      ? [{ state, reason: cell.reason ?? NO_REASON[state], cell }]
      : [];
  });
  return [...groupBy(without, ({ state, reason }) => JSON.stringify([state, reason])).values()]
    .flatMap((group) => {
      const [first] = group;
      return first === undefined ? [] : [{ state: first.state, reason: first.reason, cells: group.map(({ cell }) => cell) }];
    })
    .sort((a, b) => b.cells.length - a.cells.length);
}
