/**
 * Activities of the control queue: short, idempotent calls on the store. Temporal retries them while the store is lost.
 */
import type { ShardId, SweepId } from '../domain/ids.js';
import { shardWorkflowId } from '../domain/orchestration.js';
import type { Executions, Store } from '../domain/ports.js';
import type { SweepEndState } from '../domain/states.js';
import { asFailure } from './failures.js';

export interface ControlPorts {
  readonly store: Store;
  readonly executions: Executions;
}

export function controlActivities({ store, executions }: ControlPorts) {
  return {
    /** Shards to start next, longest first within a checkpoint. */
    nextShards: (input: { sweep: SweepId; limit: number; except: readonly ShardId[] }): Promise<ShardId[]> =>
      asFailure(() => store.nextShards(input.sweep, input.limit, input.except)),

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

    failShard: (input: { shard: ShardId; code: string; reason: string; attempts: number }): Promise<void> =>
      asFailure(() => store.failShard(input.shard, input.code, input.reason, input.attempts)),

    finishSweep: (input: { sweep: SweepId; state: SweepEndState | null }): Promise<SweepEndState> =>
      asFailure(() => store.finishSweep(input.sweep, input.state)),
  };
}

export type ControlActivities = ReturnType<typeof controlActivities>;
