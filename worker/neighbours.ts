/**
 * A worker that was killed tells nobody, and Temporal gives its attempts up only when their heartbeats have been missing for
 * half a minute. Whoever shares its machine sees at once that the process is gone, and says so: a worker does when it
 * starts, and with each of its own heartbeats.
 */
import { shardWorkflowId } from '../domain/orchestration.js';
import type { Executions, Store } from '../domain/ports.js';
import { isAlive, placeOfPids } from '../infra/embedded/processIdentity.js';

/** Ends the attempts of workers of this machine that live no more, and takes them out of the registry. @returns their ids */
export async function reportDeadNeighbours(store: Store, executions: Executions): Promise<string[]> {
  const here = `${placeOfPids()}:`;
  const dead = (await store.workerProcesses()).filter(({ pid, processStarted }) => processStarted.startsWith(here) && !isAlive({ pid, started: processStarted }));
  const reported: string[] = [];
  for (const worker of dead) {
    const held = await store.loseWorker(worker);
    // Another neighbour was first, and a new worker may have its pid by now.
    if (held === null) continue;
    await executions.loseWorker(held.map(({ sweep, shard }) => shardWorkflowId(sweep, shard)), worker.id);
    await store.unregisterWorker(worker);
    reported.push(worker.id);
  }
  return reported;
}
