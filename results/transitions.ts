import { SHARD_STATES, SWEEP_STATES, allowed, type ShardState, type SweepState } from '../domain/states.js';

/** The states a shard may come to `to` from, for the WHERE of the statement that changes it. */
export const shardStatesBefore = (to: ShardState): ShardState[] => SHARD_STATES.filter((from) => allowed('shard', from, to));

/** The states a sweep may come to `to` from. */
export const sweepStatesBefore = (to: SweepState): SweepState[] => SWEEP_STATES.filter((from) => allowed('sweep', from, to));

/** The states in which a shard has cells to compute. */
export const OPEN_SHARDS: readonly ShardState[] = SHARD_STATES.filter((state) => allowed('shard', state, 'superseded'));
