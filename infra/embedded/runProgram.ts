/** Runs a program to its end and keeps what it said; a program that cannot be run is an answer too. */
import { spawn } from 'node:child_process';

export interface Ran {
  readonly ok: boolean;
  /** Standard output and error together, trimmed; why it did not run, if it did not. */
  readonly said: string;
}

export interface RunOptions {
  readonly limitMs: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export function runProgram(command: string, args: readonly string[], { limitMs, env = process.env, cwd = process.cwd() }: RunOptions): Promise<Ran> {
  return new Promise((resolve) => {
    // A session of its own: Ctrl-C in the terminal asks the command to stop, not the program to fail.
    const child = spawn(command, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs, killSignal: 'SIGKILL', detached: true });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
    child.once('error', (error) => resolve({ ok: false, said: error.message }));
    child.once('close', (code, signal) => {
      const limit = signal === 'SIGKILL' ? `not done after ${limitMs / 1000} s` : '';
      resolve({ ok: code === 0, said: [said.trim(), limit].filter((text) => text !== '').join('\n') });
    });
  });
}

/** The last line that says something, for one-line logs. */
export const lastLine = (said: string): string => said.split('\n').map((line) => line.trim()).filter((line) => line !== '').at(-1) ?? 'no output'; // prettier-ignore
