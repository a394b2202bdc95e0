/** The built command as its user runs it: a process, its output, its children. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../../infra/packageRoot.js';
import { sharedTemporal } from '../infra/sharedTemporal.js';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly pid: number;
  /** JSON lines printed so far. */
  events(): readonly Record<string, unknown>[];
  readonly ended: Promise<Ended>;
}

export interface Place {
  /** A folder of its own with a home for the embedded stack. */
  readonly folder: string;
  readonly home: string;
  /** @param prefix what the command line begins with: a program that runs another one */
  start(args: readonly string[], env?: Record<string, string>, prefix?: readonly string[]): RunningCommand;
  run(args: readonly string[], env?: Record<string, string>): Promise<Ended>;
  /** Kills what is left and removes the folder. */
  remove(): void;
}

export async function openPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'ropesweep-e2e-'));
  const home = join(folder, 'home');
  const temporal = await sharedTemporal();
  const start = (args: readonly string[], env: Record<string, string> = {}, prefix: readonly string[] = []): RunningCommand => {
    const [program = process.execPath, ...rest] = [...prefix, process.execPath, packageFile('bin', 'ropesweep.js'), ...args];
    const child = spawn(program, rest, {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1', ROPESWEEP_HOME: home, ROPESWEEP_ROOTS: `${packageFile()}:${folder}`, TEMPORAL_CLI_PATH: temporal, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    const events: Record<string, unknown>[] = [];
    let read = 0;
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
      for (let end = stdout.indexOf('\n', read); end >= 0; end = stdout.indexOf('\n', read)) {
        const line = stdout.slice(read, end);
        if (line.startsWith('{"')) events.push(JSON.parse(line) as Record<string, unknown>);
        read = end + 1;
      }
    });
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
    return { child, pid: child.pid ?? -1, ended, events: () => events };
  };
  return {
    folder,
    home,
    start,
    run: (args, env) => start(args, env).ended,
    remove: () => {
      for (const { pid } of processesOf(folder)) kill(pid);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly args: string;
}

export function processes(): ProcessRow[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\n');
  return rows.flatMap((row) => {
    const [, pid, parent, args] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row) ?? [];
    return args === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), args }];
  });
}

/** Every process below one, at any depth. */
export function descendants(pid: number, all: readonly ProcessRow[] = processes()): ProcessRow[] {
  const below = (parent: number): ProcessRow[] => all.filter((row) => row.parent === parent).flatMap((row) => [row, ...below(row.pid)]);
  return below(pid);
}

/** Servers whose command line names the folder. */
export const processesOf = (folder: string): ProcessRow[] => processes().filter((row) => row.args.includes(folder));

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

export async function waitFor<Found>(what: string, look: () => Found | null | undefined | false, limitMs = 60_000): Promise<Found> {
  for (const end = Date.now() + limitMs; Date.now() < end; ) {
    const found = look();
    if (found !== null && found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited ${String(limitMs)} ms in vain for ${what}`);
}

/** Cells measured so far, from the progress events of `run --json`. */
export function measured(command: RunningCommand): number {
  const progress = command.events().findLast((event) => event['event'] === 'progress');
  return (progress?.['cells'] as { measured: number } | undefined)?.measured ?? 0;
}

export function finished(ended: Ended): { state: string; revision: number; cells: Record<string, number>; seconds: number } {
  const last = ended.stdout.trim().split('\n').at(-1) ?? '';
  const event = JSON.parse(last) as { event: string; state: string; revision: number; cells: Record<string, number>; seconds: number };
  if (event.event !== 'finished') throw new Error(`the last event is ${last}`);
  return event;
}
