/** SIGINT, SIGTERM and SIGHUP: the first asks for an orderly stop, a second one ends the process at once. */
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
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, handle);
    },
  };
}
