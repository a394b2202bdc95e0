/** What happens in a run, as it is told. */
import type { CellProgress } from '../domain/ports.js';
import type { CellCounts } from '../domain/plan.js';
import type { RefinementTotals } from '../domain/refinement.js';
import type { SweepEndState } from '../domain/states.js';

/** Events of `ropesweep run --json`, one JSON line each; `finished` is the last, or `detached` with --detach. */
export type RunEvent =
  | { readonly event: 'planned'; readonly sweep: string; readonly cells: CellCounts; readonly shards: number }
  /** `runs`: the sweep of the process whose servers are used; null for a stack that is up. */
  | { readonly event: 'attached'; readonly sweep: string; readonly pid: number; readonly runs: string | null }
  | { readonly event: 'started'; readonly sweep: string; readonly revision: number; readonly temporalUi: string | null }
  | { readonly event: 'progress'; readonly sweep: string; readonly cells: CellProgress; readonly runningCells: number; readonly cellsPerSecond: number; readonly etaSeconds: number | null }
  /** Refinement added cells. */
  | { readonly event: 'extended'; readonly sweep: string; readonly round: number; readonly cells: number }
  | { readonly event: 'detached'; readonly sweep: string; readonly revision: number }
  | { readonly event: 'notice'; readonly message: string }
  | {
      readonly event: 'finished';
      readonly sweep: string;
      readonly revision: number;
      readonly state: SweepEndState;
      /** Why it ended before its cells did (a spent budget, canaries that failed alike, a stack that was taken down); null where there is nothing to say. */
      readonly reason: string | null;
      readonly cells: { readonly measured: number; readonly cached: number; readonly diverged: number; readonly infeasible: number; readonly failed: number };
      /** Of a sweep that refines. */
      readonly refinement?: RefinementTotals;
      readonly seconds: number;
    };

export type Finished = Extract<RunEvent, { event: 'finished' }>;
