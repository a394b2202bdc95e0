/** One server as a child process: its output in a file, its end as a promise, its stop by ever harder signals. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Whether somebody else ended it (a person, a kernel short of memory): started again it lives, where one that ended by itself would end so again. */
export const wasKilled = ({ signal }: Exit): boolean => signal === 'SIGKILL';

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the process has ended, whatever ended it; never rejects. */
  readonly exited: Promise<Exit>;
  /** Asks, waits, insists; resolves when the process has ended. */
  stop(): Promise<void>;
}

/** A signal and how long the process may take to obey it; the last step of a stop is always SIGKILL. */
export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  /** Output is appended here. */
  readonly logFile: string;
  readonly stopSteps: readonly StopStep[];
  /** Called at once, long before the server is ready, so that nobody can lose sight of the process. */
  readonly onSpawn?: ((pid: number) => void) | undefined;
}

/** Logs larger than this are moved aside to NAME.1 at the next start. */
const LARGEST_LOG_BYTES = 16 * 1024 * 1024;

/**
 * Starts a server in a session of its own: Ctrl-C in the terminal reaches the command only, which then stops its servers in
 * order.
 * @throws the spawn error (ENOENT, EACCES) if the program cannot be run.
 */
export async function spawnServer(options: ServerCommand): Promise<ServerProcess> {
  if (existsSync(options.logFile) && statSync(options.logFile).size > LARGEST_LOG_BYTES) {
    renameSync(options.logFile, `${options.logFile}.1`);
  }
  const output = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(options.command, options.args, {
      detached: true,
      stdio: ['ignore', output, output],
      env: options.env ?? process.env,
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    await once(child, 'spawn');
    const { pid } = child;
    if (pid === undefined) throw new Error(`${options.command} has no process id`);
    options.onSpawn?.(pid);
    return { pid, exited, stop: () => stopProcess(pid, exited, options.stopSteps) };
  } finally {
    closeSync(output);
  }
}

async function stopProcess(pid: number, exited: Promise<Exit>, steps: readonly StopStep[]): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!send(pid, signal)) break;
    if (await endsWithin(exited, waitMs)) return;
  }
  send(pid, 'SIGKILL');
  await exited;
}

/** Sends a signal; false if the process is gone already. */
export function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Whether the promise settles before the time is up; leaves no timer behind. */
export async function endsWithin(ending: Promise<unknown>, ms: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(ms, false, { signal: timer.signal }).catch(() => false);
  const inTime = await Promise.race([ending.then(() => true), late]);
  timer.abort();
  return inTime;
}
