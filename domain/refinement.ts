/**
 * What refinement finds: the pass/fail frontier of arms over context length, and what it took. Lengths in tokens.
 */
import type { ArmId } from './ids.js';
import type { Interval } from './wilson.js';

/** Cells that pass, of those that have an answer. */
export interface PassCount {
  readonly passed: number;
  readonly n: number;
}

/** A context length that the search looked at, over the depths of its frontier and the seeds of its looks. */
export interface TestedLength extends PassCount {
  readonly contextTokens: number;
  /** Wilson interval of the share of passes, as wide as one look of the sequential test asks for. */
  readonly interval: Interval;
  /** Whether the interval lies on one side of the threshold; else the share itself decides. */
  readonly certain: boolean;
}

/**
 * searching: cells are to come; found; limited: `maximumCells` ended the search; unmeasured: cells that would decide have
 * no numbers (out of memory, quarantined).
 */
export const FRONTIER_STATES = ['searching', 'found', 'limited', 'unmeasured'] as const;
export type FrontierState = (typeof FRONTIER_STATES)[number];

/** The first crossing from passing to failing lengths, counted from the shortest. */
export interface Frontier {
  /** Fraction 0..1; null = all depths of the task together. */
  readonly depth: number | null;
  readonly state: FrontierState;
  /** The longest length below the crossing; null where the shortest tested one fails. */
  readonly passes: TestedLength | null;
  /** The shortest length above it; null where no tested length fails. */
  readonly fails: TestedLength | null;
  /** Context lengths of the grid beyond the crossing that pass again: the arm is not monotone. */
  readonly passesAgain: readonly TestedLength[];
  /** Every length that was looked at, ascending. */
  readonly tested: readonly TestedLength[];
  /** Audit cells up to `passes`, and from `fails` on. */
  readonly audit: { readonly within: PassCount; readonly beyond: PassCount };
}

/** What one arm took, beside what it would have taken. */
export interface ArmRefinement {
  readonly armId: ArmId;
  readonly frontiers: readonly Frontier[];
  /** By origin: what the sweep's grid has, what the search took beside it, and the audit. */
  readonly cells: { readonly grid: number; readonly refine: number; readonly audit: number };
  /** Of all these cells, shared prefixes counted once. */
  readonly flops: number;
  /** Every length at the tolerance, at every depth, with every seed. */
  readonly fullGrid: { readonly cells: number; readonly flops: number };
}

export interface TaskRefinement {
  /** Index into the spec's tasks. */
  readonly task: number;
  readonly toleranceTokens: number;
  readonly threshold: number;
  readonly confidence: number;
  /** Cells that an arm takes at most beside its grid: of the search, and of the audit. */
  readonly maximumCells: number;
  readonly auditCells: number;
  readonly arms: readonly ArmRefinement[];
}

/** By task; none for a task without `refine`. */
export type Refinement = readonly TaskRefinement[];

export interface RefinementTotals {
  readonly frontiers: number;
  readonly found: number;
  readonly cells: number;
  readonly flops: number;
  readonly fullGridCells: number;
  readonly fullGridFlops: number;
}

/** Sums over all arms and tasks. */
export function refinementTotals(refinement: Refinement): RefinementTotals {
  const arms = refinement.flatMap((task) => task.arms);
  const frontiers = arms.flatMap((arm) => arm.frontiers);
  const sum = (of: (arm: ArmRefinement) => number): number => arms.reduce((total, arm) => total + of(arm), 0);
  return {
    frontiers: frontiers.length,
    found: frontiers.filter(({ state }) => state === 'found').length,
    cells: sum(({ cells }) => cells.grid + cells.refine + cells.audit),
    flops: sum(({ flops }) => flops),
    fullGridCells: sum(({ fullGrid }) => fullGrid.cells),
    fullGridFlops: sum(({ fullGrid }) => fullGrid.flops),
  };
}
