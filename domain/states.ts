/**
 * States and the transitions allowed between them. Whoever changes a state asks {@link allowed} first;
 * the store refuses the rest in SQL, so that a late writer cannot undo an end.
 */

/** Numbers exist (`measured`), or the model's output was not finite (`diverged`). Immutable. */
export const MEASUREMENT_STATES = ['measured', 'diverged'] as const;
export type MeasurementState = (typeof MEASUREMENT_STATES)[number];

/** Why a diverged cell has no numbers. */
export const DIVERGED_REASON = 'the output of the model was not finite';

/** No numbers: out of memory on a device class, or quarantined after its attempts. Belongs to (cell, class, engine). */
export const OUTCOME_STATES = ['infeasible', 'failed'] as const;
export type OutcomeState = (typeof OUTCOME_STATES)[number];

/** A cell as a member of a sweep. */
export const CELL_STATES = ['planned', ...MEASUREMENT_STATES, ...OUTCOME_STATES] as const;
export type CellState = (typeof CELL_STATES)[number];

/** Whether the cell was evaluated: it has numbers, or output that is not finite. */
export const isMeasured = (state: CellState): state is MeasurementState => state === 'measured' || state === 'diverged';

/** Where a cell came from. */
export const CELL_ORIGINS = ['grid', 'refine', 'audit'] as const;
export type CellOrigin = (typeof CELL_ORIGINS)[number];

/**
 * planned -> leased -> done | failed; leased -> planned (handed back, or its attempt died);
 * planned | leased -> superseded when a newer revision plans its cells again.
 */
export const SHARD_STATES = ['planned', 'leased', 'done', 'failed', 'superseded'] as const;
export type ShardState = (typeof SHARD_STATES)[number];

/** The ends of a sweep; from any of them it is running again when it is run again. */
export const SWEEP_END_STATES = ['done', 'incomplete', 'stopped', 'cancelled'] as const;
export type SweepEndState = (typeof SWEEP_END_STATES)[number];

/**
 * running: shards are started. paused: none is started, those in flight go on to their end. stopping: like paused, and the
 * sweep ends stopped when the last one has ended. cancelling: those in flight are being killed.
 */
export const SWEEP_STATES = ['running', 'paused', 'stopping', 'cancelling', ...SWEEP_END_STATES] as const;
export type SweepState = (typeof SWEEP_STATES)[number];

export const isEnded = (state: SweepState): state is SweepEndState => SWEEP_END_STATES.some((end) => end === state);

const CELL_NEXT: Record<CellState, readonly CellState[]> = {
  planned: ['measured', 'diverged', 'infeasible', 'failed'],
  measured: [],
  diverged: [],
  infeasible: ['planned', 'measured', 'diverged'],
  failed: ['planned', 'measured', 'diverged'],
};
const SHARD_NEXT: Record<ShardState, readonly ShardState[]> = {
  planned: ['leased', 'superseded'],
  leased: ['leased', 'planned', 'done', 'failed', 'superseded'],
  done: [],
  failed: ['planned'],
  superseded: [],
};
const SWEEP_NEXT: Record<SweepState, readonly SweepState[]> = {
  running: ['paused', 'stopping', 'cancelling', ...SWEEP_END_STATES],
  paused: ['running', 'stopping', 'cancelling', ...SWEEP_END_STATES],
  stopping: ['running', 'cancelling', ...SWEEP_END_STATES],
  cancelling: SWEEP_END_STATES,
  done: ['running'],
  incomplete: ['running'],
  stopped: ['running'],
  cancelled: ['running'],
};

const NEXT = { cell: CELL_NEXT, shard: SHARD_NEXT, sweep: SWEEP_NEXT };
interface StateOf {
  cell: CellState;
  shard: ShardState;
  sweep: SweepState;
}

/** Whether a cell, shard or sweep may go from one state to the other. */
export function allowed<Kind extends keyof StateOf>(kind: Kind, from: StateOf[Kind], to: StateOf[Kind]): boolean {
  const next: Record<string, readonly string[]> = NEXT[kind];
  return next[from]?.includes(to) ?? false;
}
