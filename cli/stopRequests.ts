/**
 * SIGINT, SIGTERM, SIGHUP and a reader that goes away: the first asks for an orderly stop, a second signal ends the
 * process at once.
 */
import { whenOutputCloses } from './output.js';

/** Thrown between two steps of a run that was asked to stop. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** Asked anew each time: the compiler takes a signal that was not aborted for one that never will be. */
export const isStopped = (signal: AbortSignal): boolean => signal.aborted;

export function unlessStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new Stopped('stopped by the user');
}

export interface StopRequests {
  readonly signal: AbortSignal;
  dispose(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function stopRequests(onFirst: () => void): StopRequests {
  const controller = new AbortController();
  const handle = (): void => {
    // The guardian of the embedded stack stops the servers of a process that ends like this.
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    onFirst();
  };
  for (const name of SIGNALS) process.on(name, handle);
  whenOutputCloses(() => controller.abort());
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, handle);
    },
  };
}
