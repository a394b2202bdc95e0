/** The data folder of the embedded PostgreSQL: made once and whole, its password, what a killed server left in it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RopesweepError } from '../../domain/errors.js';
import type { PostgresBinaries } from './postgresBinaries.js';
import { commandOf } from './processIdentity.js';
import { launch, type Access, type ServerAccount } from './serverAccount.js';

/** Superuser and database of the embedded server. */
export const POSTGRES_USER = 'ropesweep';
export const POSTGRES_DATABASE = 'ropesweep';

export const dataFolderOf = (folder: string): string => join(folder, 'data');

/** Makes the folder that holds data and password; the server's account owns it. */
export function prepareFolder(folder: string, account: ServerAccount): void {
  mkdirSync(folder, { recursive: true });
  giveTo(account, folder);
  chmodSync(folder, 0o700);
}

/** The password of the superuser: made once, in a file that only its owner may read, and never printed. */
export function readOrMakePassword(folder: string): string {
  const file = join(folder, 'password');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const password = randomBytes(24).toString('base64url');
  replaceFile(file, password);
  return password;
}

/**
 * Runs initdb if there is no data yet. It works in a folder of its own that is renamed when whole, so a killed
 * initialisation is never taken for data.
 * @throws RopesweepError STACK_FAILED with what initdb said.
 */
export async function initialiseOnce(
  folder: string,
  binaries: PostgresBinaries,
  access: Access,
  options: { password: string; durable: boolean },
): Promise<void> {
  const data = dataFolderOf(folder);
  if (existsSync(data)) return;
  for (const leftover of readdirSync(folder).filter((name) => name.startsWith('initdb-'))) {
    rmSync(join(folder, leftover), { recursive: true, force: true });
  }
  const fresh = join(folder, `initdb-${randomBytes(4).toString('hex')}`);
  const passwordFile = `${fresh}.password`;
  writeFileSync(passwordFile, options.password, { mode: 0o600 });
  giveTo(access, passwordFile);
  try {
    const { command, args, ...account } = launch(access, binaries.initdb, [
      `--pgdata=${fresh}`,
      `--username=${POSTGRES_USER}`,
      `--pwfile=${passwordFile}`,
      '--auth-host=scram-sha-256',
      '--auth-local=reject',
      '--encoding=UTF8',
      // One collation everywhere: rows sort alike on every machine.
      '--locale=C',
      ...(options.durable ? [] : ['--no-sync']),
    ]);
    // A session of its own: Ctrl-C in the terminal asks the command to stop, not initdb to fail.
    const child = spawn(command, args, { ...account, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) {
      throw new RopesweepError('STACK_FAILED', { where: folder, what: `initdb could not make the data of PostgreSQL:\n${said.trim()}` });
    }
    renameSync(fresh, data);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** The pid of a living PostgreSQL on this data, left by a command that was killed; null if there is none. */
export function postmasterOf(folder: string): number | null {
  const pid = recordedPostmaster(folder);
  return pid !== null && commandOf(pid)?.includes(dataFolderOf(folder)) === true ? pid : null;
}

/**
 * Takes away postmaster.pid if its pid now belongs to another program (pids start over in a restarted container); PostgreSQL
 * itself sees only that the pid lives and refuses to start.
 */
export function forgetStrangePostmaster(folder: string): void {
  const pid = recordedPostmaster(folder);
  if (pid !== null && commandOf(pid)?.includes('postgres') === false) rmSync(pidFile(folder), { force: true });
}

/** Whether the server with this pid says in its pid file that it takes connections. */
export function isReady(folder: string, pid: number): boolean {
  if (recordedPostmaster(folder) !== pid) return false;
  // Line 8 is the postmaster's status, padded with blanks.
  return pidFileLines(folder)[7]?.trim() === 'ready';
}

const pidFile = (folder: string): string => join(dataFolderOf(folder), 'postmaster.pid');

/** Empty while there is no such file. */
function pidFileLines(folder: string): string[] {
  try {
    return readFileSync(pidFile(folder), 'utf8').split('\n');
  } catch {
    return [];
  }
}

function recordedPostmaster(folder: string): number | null {
  const pid = Number.parseInt(pidFileLines(folder)[0] ?? '', 10);
  return Number.isInteger(pid) && pid > 0 ? pid : null;
}

function giveTo(account: ServerAccount, path: string): void {
  if (account.uid !== undefined && account.gid !== undefined) chownSync(path, account.uid, account.gid);
}

/** Writes a file of mode 0600 so that a reader sees the old text or the new, never a part. */
export function replaceFile(file: string, text: string): void {
  const fresh = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(fresh, text, { mode: 0o600, flush: true });
  renameSync(fresh, file);
}
