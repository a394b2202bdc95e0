/** Cells without numbers, grouped by why: what a person reads before looking at single cells. */
import type { AttentionCellRow, NeedleCellRow, PerplexityCellRow } from '../domain/rows.js';
import { DIVERGED_REASON, type CellState } from '../domain/states.js';

type OutcomeState = 'failed' | 'infeasible' | 'diverged';

/** A cell by its axes. */
export type NamedCell =
  | Pick<NeedleCellRow, 'taskKind' | 'armId' | 'contextTokens' | 'depth' | 'seed'>
  | Pick<PerplexityCellRow, 'taskKind' | 'armId' | 'contextTokens' | 'document'>
  | Pick<AttentionCellRow, 'taskKind' | 'armId' | 'contextTokens'>;

export interface OutcomeGroup {
  readonly state: OutcomeState;
  readonly reason: string;
  readonly cells: number;
  /** The first of them; the export has all. */
  readonly listed: readonly NamedCell[];
}

/** Cells listed under one reason. */
const LISTED_CELLS = 50;

const NO_REASON: Readonly<Record<OutcomeState, string>> = { failed: 'no reason recorded', infeasible: 'no reason recorded', diverged: DIVERGED_REASON };

const hasOutcome = (state: CellState): state is OutcomeState => state in NO_REASON;

export class OutcomeCounts {
  private readonly byReason = new Map<string, { readonly state: OutcomeState; readonly reason: string; cells: number; readonly listed: NamedCell[] }>();

  /** Counts failed, infeasible and diverged cells. */
  add(cell: NamedCell & { readonly state: CellState; readonly reason: string | null }): void {
    const { state } = cell;
    if (!hasOutcome(state)) return;
    const reason = cell.reason ?? NO_REASON[state];
    const key = JSON.stringify([state, reason]);
    const group = this.byReason.get(key) ?? { state, reason, cells: 0, listed: [] };
    this.byReason.set(key, group);
    group.cells += 1;
    if (group.listed.length < LISTED_CELLS) group.listed.push(cell);
  }

  /** By state and reason, the largest first. */
  groups(): OutcomeGroup[] {
    return [...this.byReason.values()].sort((a, b) => b.cells - a.cells);
  }
}
