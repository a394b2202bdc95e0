/**
 * One owner of the embedded stack per home, whatever is killed and whoever races.
 *
 * The lock is a row of numbered files, `lock/000001.json`, `lock/000002.json`, ...: the file with the highest number names the
 * owner, and only link(2), which fails if the name exists, makes one. A file is made only when the one before it belongs to a
 * process that has ended or has released it, and the highest is never removed: so two processes that both find a dead owner
 * want the same next number, and one of them gets it.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RopesweepError } from '../../domain/errors.js';
import { replaceFile } from './postgresData.js';
import { identify, isAlive, placeOfPids, type ProcessIdentity } from './processIdentity.js';

/** A server that an owner started; the next owner stops it if it outlived that one. */
export interface RecordedServer extends ProcessIdentity {
  readonly name: string;
  readonly stopSignal: NodeJS.Signals;
}

/** What an owner tells the others. It holds the password of the database: the file is its owner's alone. */
export interface Connections {
  readonly databaseUrl?: string;
  readonly temporalAddress?: string;
  readonly uiUrl?: string;
}

/**
 * starting -> ready    the servers that the owner needs answer
 * ready    -> closing  the owner is done and waits for those who attached; nobody may attach any more
 * any      -> released the servers are stopped; also where the owner's process has ended without a word
 */
export type StackState = 'starting' | 'ready' | 'closing' | 'released';

export interface OwnerRecord extends ProcessIdentity, Connections {
  /** Identifies the place of the pid (boot and pid namespace): elsewhere a pid says nothing. */
  readonly place: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** The sweep that the owner runs; null for a command that only reads, and for `ropesweep up`. */
  readonly sweep: string | null;
  /** The stack stays until it is taken down (`ropesweep up`), whoever comes and goes. */
  readonly up: boolean;
  /** Closing for good: who is attached must not go on in its place. */
  readonly takenDown: boolean;
  /** Device class that the owner's worker evaluates; absent while it has none. */
  readonly deviceClass?: string;
  readonly state: StackState;
  readonly servers: readonly RecordedServer[];
}

export interface OwnedLock {
  readonly kind: 'owner';
  /** Servers of earlier owners that may still run. */
  readonly orphans: readonly RecordedServer[];
  publish(change: Partial<Pick<OwnerRecord, 'state' | 'servers' | 'takenDown' | 'deviceClass' | keyof Connections>>): void;
  release(): void;
}

export interface AttachedLock {
  readonly kind: 'attached';
  readonly owner: OwnerRecord;
  /** The owner's newest record, or null when it has ended or released the stack. */
  refresh(): OwnerRecord | null;
  /** Whether the owner said that it closes for good. */
  takenDown(): boolean;
}

/** An owner touches its file this often, for those who cannot see its pid. */
const TOUCH_MS = 2_000;

/**
 * Takes the home, or attaches to who has it.
 *
 * A run attaches to a run, of whatever sweep, and to a stack that is up; a reader (`sweep` null) to anyone. A run that meets a
 * reader, or anyone who meets an owner that is closing, waits until it is gone: both last seconds.
 * @param up take the home for a stack that stays
 * @throws RopesweepError STACK_LOCKED with the owner's pid: `up` where a sweep runs, anyone where the owner is out of reach.
 */
export async function acquireLock(home: string, sweep: string | null, up = false): Promise<OwnedLock | AttachedLock> {
  const folder = join(home, 'lock');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (;;) {
    const number = highest(folder);
    const before = number === 0 ? null : read(fileOf(folder, number));
    if (before === null || !(await lives(before, fileOf(folder, number)))) {
      const owned = take(folder, number + 1, { sweep, up }, before);
      if (owned !== null) return owned;
    } else if (before.place !== placeOfPids()) {
      throw new RopesweepError('STACK_LOCKED', {
        where: home,
        what: `a process of another container or machine has been using it since ${before.startedAt}, and its servers are out of reach from here`,
        mend: 'Stop that one, or give this run a folder of its own with ROPESWEEP_HOME.',
      });
    } else if (before.state !== 'closing') {
      const stays = before.sweep !== null || before.up;
      if (up && stays) {
        throw new RopesweepError('STACK_LOCKED', {
          where: home,
          what: before.up ? `it is up already (process ${before.pid}, since ${before.startedAt})` : `process ${before.pid} has been running sweep ${before.sweep ?? ''} there since ${before.startedAt}`,
          mend: before.up ? 'Take it down with ropesweep down.' : `Wait until it ends, or stop it (ropesweep stop ${before.sweep ?? ''}); other sweeps may run beside it without ropesweep up.`,
        });
      }
      if (!up && (sweep === null || stays)) return attachment(folder, number, before);
    }
    await sleep(50);
  }
}

function take(folder: string, number: number, who: Pick<OwnerRecord, 'sweep' | 'up'>, before: OwnerRecord | null): OwnedLock | null {
  const self = identify(process.pid);
  if (self === null) throw new RopesweepError('INTERNAL', { where: folder, what: 'this process cannot read its own start time' });
  const file = fileOf(folder, number);
  const orphans = before?.servers ?? [];
  let record: OwnerRecord = { ...self, place: placeOfPids(), startedAt: new Date().toISOString(), ...who, takenDown: false, state: 'starting', servers: orphans };
  if (!makeOnce(file, JSON.stringify(record))) return null;
  // Someone may have taken, released and cleaned up this number while we looked at the one before it.
  if (highest(folder) !== number) {
    rmSync(file, { force: true });
    return null;
  }
  for (const older of numbers(folder).filter((other) => other < number)) rmSync(fileOf(folder, older), { force: true });
  const write = (changed: OwnerRecord): void => {
    record = changed;
    // Someone may remove the home under a run; then nobody is left to read this, and the servers still have to be stopped.
    if (existsSync(folder)) replaceFile(file, JSON.stringify(record));
  };
  const touch = setInterval(() => {
    if (existsSync(file)) utimesSync(file, new Date(), new Date());
  }, TOUCH_MS).unref();
  return {
    kind: 'owner',
    orphans,
    publish: (change) => write({ ...record, ...change }),
    release: () => {
      clearInterval(touch);
      write({ ...self, place: record.place, startedAt: record.startedAt, ...who, takenDown: record.takenDown, state: 'released', servers: [] });
    },
  };
}

function attachment(folder: string, number: number, owner: OwnerRecord): AttachedLock {
  const own = (): OwnerRecord | null => (highest(folder) === number ? read(fileOf(folder, number)) : null);
  return {
    kind: 'attached',
    owner,
    refresh: () => {
      const record = own();
      return record === null || record.state === 'released' || !isAlive(record) ? null : record;
    },
    takenDown: () => own()?.takenDown === true,
  };
}

/** Who holds the home now, without taking or attaching to it; null if nobody does. */
export const ownerOf = (home: string): OwnerRecord | null => holder(home)?.owner ?? null;

/** What attaches to who holds the home now, and takes nothing; null if nobody does, or is about to leave. */
export function attachable(home: string): AttachedLock | null {
  const held = holder(home);
  return held === null || held.owner.state === 'closing' ? null : attachment(held.folder, held.number, held.owner);
}

function holder(home: string): { folder: string; number: number; owner: OwnerRecord } | null {
  const folder = join(home, 'lock');
  const number = existsSync(folder) ? highest(folder) : 0;
  const owner = number === 0 ? null : read(fileOf(folder, number));
  return owner === null || owner.state === 'released' || owner.place !== placeOfPids() || !isAlive(owner) ? null : { folder, number, owner };
}

async function lives(record: OwnerRecord, file: string): Promise<boolean> {
  if (record.state === 'released') return false;
  if (record.place === placeOfPids()) return isAlive(record);
  // Another container, or before a reboot: only its touches tell.
  const seen = modified(file);
  for (let waitedMs = 0; waitedMs < 3 * TOUCH_MS; waitedMs += 100) {
    await sleep(100);
    if (modified(file) !== seen) return true;
  }
  return false;
}

const fileOf = (folder: string, number: number): string => join(folder, `${String(number).padStart(6, '0')}.json`);

const numbers = (folder: string): number[] => readdirSync(folder).flatMap((name) => (/^\d{6,}\.json$/.test(name) ? [Number.parseInt(name, 10)] : []));

const highest = (folder: string): number => Math.max(0, ...numbers(folder));

/** Makes a whole file under a name that is not taken; false if it is. */
function makeOnce(file: string, text: string): boolean {
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(fresh, text, { mode: 0o600 });
  try {
    linkSync(fresh, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** Null if the file was removed since it was listed. */
function read(file: string): OwnerRecord | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as OwnerRecord;
  } catch {
    return null;
  }
}

function modified(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}
