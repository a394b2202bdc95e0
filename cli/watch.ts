/**
 * Follows a sweep in the store until it ends, its workflow is gone, or the user stops it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RopesweepError } from '../domain/errors.js';
import type { SweepId } from '../domain/ids.js';
import type { Store, SweepStatus } from '../domain/ports.js';
import { isEnded, type SweepEndState } from '../domain/states.js';
import type { Connections } from '../infra/connections.js';
import { RateMeter, type RunDisplay } from './progress.js';
import type { SweepWorkflows } from './sweepWorkflows.js';

const LOOK_EVERY_MS = 300;
/** Looks between two questions to Temporal. */
const ASK_TEMPORAL_EVERY = 20;
/** How long the workflow may take to close after it wrote the sweep's end. */
const CLOSE_MS = 10_000;

/** The process that owned the embedded stack ended before the sweep did. */
export class OwnerGone extends Error {
  override readonly name = 'OwnerGone';
  /** It closed for good: nobody is to go on in its place. */
  readonly takenDown: boolean;

  constructor(connections: Connections) {
    super('the owner of the embedded stack is gone');
    this.takenDown = connections.takenDown();
  }
}

export interface Watched {
  readonly store: Store;
  readonly sweep: SweepId;
  /** null when another process submitted it. */
  readonly workflows: SweepWorkflows | null;
  readonly display: RunDisplay;
  readonly stop: AbortSignal;
  readonly connections: Connections;
  /** Called after each look at a sweep that has not ended; while the store is away it is given up until the next. */
  readonly between?: (status: SweepStatus) => Promise<void>;
}

export async function watch({ store, sweep, workflows, display, stop, connections, between }: Watched): Promise<SweepEndState> {
  const meter = new RateMeter();
  let unattended: Unattended = { queues: '', said: false };
  for (let looks = 1; !stop.aborted; looks += 1) {
    const status = await look(store, sweep);
    if (status !== null) {
      display.progress(status, meter.measure(status, Date.now()));
      if (isEnded(status.state)) {
        await workflows?.ended(sweep, CLOSE_MS);
        return status.state;
      }
      await unlessLost(async () => between?.(status));
    }
    if (connections.ownerGone()) throw new OwnerGone(connections);
    if (looks % ASK_TEMPORAL_EVERY === 0 && (await workflows?.running(sweep)) === false) {
      // Terminated by hand: nobody will write the end any more. It may just have been written, so look again.
      const last = await look(store, sweep);
      if (last !== null && isEnded(last.state)) return last.state;
      if (last !== null) {
        display.emit({ event: 'notice', message: `the workflow of the sweep is gone: ${(await workflows?.ending(sweep)) ?? ''}` });
        return store.finishSweep(sweep, 'stopped');
      }
    }
    if (looks % ASK_TEMPORAL_EVERY === 0 && status?.runningCells === 0) unattended = sayUnattended((await workflows?.unattended(status.openClasses)) ?? [], display, unattended);
    await sleep(LOOK_EVERY_MS, undefined, { signal: stop }).catch(() => undefined);
  }
  return 'stopped';
}

interface Unattended {
  /** Queues without a worker when last asked. */
  readonly queues: string;
  readonly said: boolean;
}

/** Says, once, which queues no worker polls: a sweep that waits must say what for. Twice in a row, for a worker may just be starting. */
function sayUnattended(polledByNone: readonly string[], display: RunDisplay, before: Unattended): Unattended {
  const queues = polledByNone.join(' and ');
  if (queues === '' || queues !== before.queues) return { queues, said: false };
  if (!before.said) display.emit({ event: 'notice', message: `waiting: no worker polls ${queues} (start one with ropesweep worker, --control for workflows, --class NAME for ropesweep-evaluate-NAME)` });
  return { queues, said: true };
}

/** null while the store is away: its supervisor brings it back. */
const look = (store: Store, sweep: SweepId): Promise<SweepStatus | null> => unlessLost(() => store.status(sweep));

async function unlessLost<Result>(work: () => Promise<Result>): Promise<Result | null> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RopesweepError && error.code === 'STORE_LOST') return null;
    throw error;
  }
}
