/**
 * Which process a pid means. A pid alone may have been given to another process since, so a record of a process is its
 * pid and the moment it started, read the same way both times.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque, equal for one process for as long as it lives and for no other with its pid. */
  readonly started: string;
}

/** The identity of a living process, or null if there is none with that pid (a zombie counts as none). */
export function identify(pid: number): ProcessIdentity | null {
  const started = process.platform === 'linux' ? startedOnLinux(pid) : startedByPs(pid);
  return started === null ? null : { pid, started };
}

/** Whether the recorded process still lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started;
}

/** The program and arguments of a living process, or null. */
export function commandOf(pid: number): string | null {
  if (process.platform === 'linux') {
    return readOrNull(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim() ?? null;
  }
  return ps(pid, 'command=');
}

/** Clock ticks since boot at the start of the process, with what makes them unique: the boot and the pid namespace. */
function startedOnLinux(pid: number): string | null {
  const stat = readOrNull(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTicks = fields[19];
  if (state === undefined || startTicks === undefined || state === 'Z' || state === 'X') return null;
  return `${placeOfPids()}:${startTicks}`;
}

/** Where pids of this process are valid: a boot and a pid namespace (a container has its own). */
export function placeOfPids(): string {
  if (process.platform !== 'linux') return process.platform;
  return `${readOrNull('/proc/sys/kernel/random/boot_id')?.trim() ?? ''}/${namespace()}`;
}

function namespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function startedByPs(pid: number): string | null {
  const state = ps(pid, 'state=');
  return state === null || state.startsWith('Z') ? null : ps(pid, 'lstart=');
}

function ps(pid: number, column: string): string | null {
  const result = spawnSync('ps', ['-o', column, '-p', String(pid)], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  const text = result.status === 0 ? result.stdout.trim() : '';
  return text === '' ? null : text;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
