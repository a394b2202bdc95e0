/**
 * Activities of the control queue: short, idempotent calls on the store. Temporal retries them while the store is lost.
 */
import type { ShardId, SweepId } from '../domain/ids.js';
import { shardWorkflowId, sweepWorkflowId, type Page, type ShardEnd } from '../domain/orchestration.js';
import type { Executions, Store } from '../domain/ports.js';
import type { SweepEndState } from '../domain/states.js';
import { asFailure } from './failures.js';

export interface ControlPorts {
  readonly store: Store;
  readonly executions: Executions;
}

export function controlActivities({ store, executions }: ControlPorts) {
  return {
    /** How the sweep is to be run now, and shards to start next: longest first within a checkpoint, two windows at most. */
    nextShards: (input: { sweep: SweepId; except: readonly ShardId[] }): Promise<Page> => asFailure(() => store.nextShards(input.sweep, input.except)),

    /**
     * Those of the window that no workflow works on any more: ended in the store, or their workflow is gone.
     * The second kind is planned again by the next page, so a lost signal or a terminated child cannot hang a sweep.
     */
    goneShards: (input: { sweep: SweepId; open: readonly ShardId[] }): Promise<ShardId[]> =>
      asFailure(async () => {
        const ended = new Set(await store.endedShards(input.open));
        const alive = input.open.filter((shard) => !ended.has(shard));
        const running = await executions.running(alive.map((shard) => shardWorkflowId(input.sweep, shard)));
        return input.open.filter((shard) => ended.has(shard) || !running.has(shardWorkflowId(input.sweep, shard)));
      }),

    /** Shards that wait in a queue are served with the new priority; those that run go on. */
    prioritise: (input: { sweep: SweepId; open: readonly ShardId[]; priority: number }): Promise<void> =>
      asFailure(() => executions.prioritise(input.open.map((shard) => shardWorkflowId(input.sweep, shard)), input.priority)),

    /** Cuts what is left of a shard that kills its slot in two. */
    splitShard: (input: { shard: ShardId; crashes: number }): Promise<{ parts: number }> =>
      asFailure(async () => ({ parts: await store.splitShard(input.shard, input.crashes) })),

    failShard: (input: { shard: ShardId; code: string; reason: string; attempts: number }): Promise<void> =>
      asFailure(() => store.failShard(input.shard, input.code, input.reason, input.attempts)),

    /** Of a shard's workflow to its sweep's. */
    reportShard: (input: { sweep: SweepId; end: ShardEnd }): Promise<void> => asFailure(() => executions.shardEnded(sweepWorkflowId(input.sweep), input.end)),

    /** @param input state null: where its cells put it. @returns null where there is more to compute: then it goes on */
    finishSweep: (input: { sweep: SweepId; state: SweepEndState | null; reason: string | null }): Promise<SweepEndState | null> =>
      asFailure(() => (input.state === null ? store.settleSweep(input.sweep) : store.finishSweep(input.sweep, input.state, input.reason))),
  };
}

export type ControlActivities = ReturnType<typeof controlActivities>;
