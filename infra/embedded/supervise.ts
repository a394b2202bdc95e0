/**
 * Keeps one server running on one port.
 *
 * starting   -> running     it answers
 * running    -> restarting  it died, and not by our hand
 * restarting -> running     it answers again; onRestart
 * restarting -> given up    it died too often in too short a time; onGiveUp
 * any        -> stopped     stop()
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RopesweepError } from '../../domain/errors.js';
import type { Exit, ServerProcess } from './serverProcess.js';

export interface Restart {
  /** "PostgreSQL" or "Temporal". */
  readonly part: string;
  readonly exit: Exit;
  /** From its death until it answered again. */
  readonly downMs: number;
}

export interface SupervisorOptions<Server extends ServerProcess> {
  readonly part: string;
  /** Starts the server, always on the same port; resolves when it answers. */
  readonly start: () => Promise<Server>;
  readonly log: (line: string) => void;
  readonly onRestart: (restart: Restart) => void;
  readonly onGiveUp: (error: RopesweepError) => void;
}

export interface Supervised<Server extends ServerProcess> {
  /** The server as first started; its address holds for every later one. */
  readonly server: Server;
  /** Stops the server and the watch over it; resolves when it has ended. Idempotent. */
  stop(): Promise<void>;
}

/** So many deaths within the window are one too many. */
const DEATHS = 6;
const WINDOW_MS = 60_000;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5_000;

/** @throws what the first start throws: a server that never ran is not restarted. */
export async function supervise<Server extends ServerProcess>(options: SupervisorOptions<Server>): Promise<Supervised<Server>> {
  const first = await options.start();
  const stopping = new AbortController();
  let current: ServerProcess | null = first;
  const watching = watch();
  return { server: first, stop };

  async function stop(): Promise<void> {
    stopping.abort();
    await current?.stop();
    await watching;
  }

  async function watch(): Promise<void> {
    let server: ServerProcess = first;
    let deaths: number[] = [];
    for (;;) {
      const exit = await server.exited;
      if (isStopping()) return;
      const diedAt = Date.now();
      options.log(`${options.part} ended unexpectedly (${describeExit(exit)}): starting it again`);
      current = null;
      let last: unknown = new Error(describeExit(exit));
      for (;;) {
        deaths = [...deaths.filter((at) => at > Date.now() - WINDOW_MS), Date.now()];
        if (deaths.length >= DEATHS) {
          giveUp(deaths.length, last);
          return;
        }
        await sleep(Math.min(FIRST_BACKOFF_MS * 2 ** (deaths.length - 1), LONGEST_BACKOFF_MS), undefined, { signal: stopping.signal }).catch(() => undefined);
        if (isStopping()) return;
        try {
          server = await options.start();
          break;
        } catch (error) {
          last = error;
          options.log(`${options.part} did not start: ${messageOf(error)}`);
        }
      }
      current = server;
      // stop() may have come while the server was starting and found nothing to stop.
      if (isStopping()) return server.stop();
      const downMs = Date.now() - diedAt;
      options.log(`${options.part} was restarted after ${downMs} ms`);
      options.onRestart({ part: options.part, exit, downMs });
    }
  }

  function isStopping(): boolean {
    return stopping.signal.aborted;
  }

  function giveUp(count: number, cause: unknown): void {
    options.onGiveUp(
      new RopesweepError('STACK_FAILED', { where: options.part, what: `it died ${count} times within a minute, last: ${messageOf(cause)}` }, { cause }),
    );
  }
}

const describeExit = ({ code, signal }: Exit): string => (signal === null ? `exit code ${code ?? 'unknown'}` : signal);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
