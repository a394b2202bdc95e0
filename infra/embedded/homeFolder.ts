/**
 * The folder of the embedded stack:
 *
 *   postgres/          data and password of PostgreSQL
 *   temporal/          temporal.db (SQLite), client.toml (profile for the temporal program and its SDKs)
 *   bin/temporal       the Temporal program, if ropesweep had to fetch it
 *   logs/              postgres.log, temporal.log, and those of the workers
 *   lock/, attached/   who owns the stack, and who uses it besides
 */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve, sep } from 'node:path';
import { RopesweepError, type ErrorCode } from '../../domain/errors.js';

const DEFAULT_HOME = '.ropesweep';
const FOLDERS = ['attached', 'lock', 'logs', 'temporal'] as const;

/** File systems of other machines: PostgreSQL and SQLite lose data or locks on them. */
const NETWORK = /^(nfs\d*|cifs|smb\d*|smbfs|smbfs\d|afs|afpfs|webdav|ceph|lustre|gpfs|beegfs(_nodev)?|ocfs2|gfs2|fuse\.(sshfs|ceph|glusterfs|s3fs|s3ql|gcsfuse|goofys|rclone|juicefs|davfs\d?|beegfs))$/;

/** Absolute path of the home: the option, ROPESWEEP_HOME, or .ropesweep in the working directory. */
export function homePath(home?: string): string {
  const configured = process.env['ROPESWEEP_HOME'];
  return resolve(home ?? (configured === undefined || configured === '' ? DEFAULT_HOME : configured));
}

/**
 * Makes the folder ready for use and returns its real path.
 * @throws RopesweepError FOLDER_ON_NETWORK, FOLDER_UNWRITABLE
 */
export function prepareHome(path: string): string {
  const refusal = networkRefusal(path);
  if (refusal !== null) throw new RopesweepError('FOLDER_ON_NETWORK', refusal);
  try {
    makeFolder(path);
    for (const folder of FOLDERS) makeFolder(join(path, folder));
    const home = realpathSync(path);
    probe(home);
    refuseForeign(home);
    refuseForeign(join(home, 'logs'));
    return home;
  } catch (cause) {
    throw new RopesweepError('FOLDER_UNWRITABLE', { where: path, what: cause instanceof Error ? cause.message : String(cause) }, { cause });
  }
}

/** Permission bits do not tell all (root, read-only mounts, full disks): write. */
function probe(folder: string): void {
  const file = join(folder, `.ropesweep-probe-${process.pid}`);
  writeFileSync(file, 'ropesweep');
  rmSync(file);
}

/** An earlier run as another user leaves entries that are not ours; one that vanishes meanwhile is nobody's. */
function refuseForeign(folder: string): void {
  for (const name of readdirSync(folder)) {
    try {
      accessSync(join(folder, name), constants.W_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** mkdir -p, level by level: Node's own recursive mkdir never returns below /proc. */
export function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** What is wrong with a home on a network file system, or null. The folder need not exist. */
export function networkRefusal(path: string): { where: string; what: string } | null {
  let existing = path;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const type = fileSystemOf(realpathSync(existing), mounts());
  return type !== null && NETWORK.test(type) ? { where: path, what: `it lies on a file system of type ${type}` } : null;
}

interface Mount {
  readonly point: string;
  readonly type: string;
}

/** The type of the file system that holds a path; null if no mount is known. */
export function fileSystemOf(path: string, table: readonly Mount[]): string | null {
  let best: Mount | null = null;
  for (const mount of table) {
    const below = mount.point === sep || path === mount.point || path.startsWith(mount.point + sep);
    // Of equal mount points the later one covers the earlier.
    if (below && (best === null || mount.point.length >= best.point.length)) best = mount;
  }
  return best?.type ?? null;
}

/** All mounts of this machine; empty where they cannot be listed. */
function mounts(): Mount[] {
  if (process.platform !== 'linux') {
    const listed = spawnSync('mount', { encoding: 'utf8' });
    return listed.status === 0 ? parseMountOutput(listed.stdout) : [];
  }
  try {
    return parseProcMounts(readFileSync('/proc/self/mounts', 'utf8'));
  } catch {
    return [];
  }
}

/** Lines of /proc/self/mounts: device, point, type, ...; blanks in a point are written \040. */
export function parseProcMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [, point, type] = line.split(' ');
    if (point === undefined || type === undefined) return [];
    return [{ point: point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))), type }];
  });
}

/** Lines of mount(8) on macOS: "//user@host/share on /Volumes/share (smbfs, nodev)". */
export function parseMountOutput(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const found = /^.+? on (\/.*) \((\w+)/.exec(line);
    return found?.[1] === undefined || found[2] === undefined ? [] : [{ point: found[1], type: found[2] }];
  });
}

/** The checks of prepareHome as one finding for doctor, without leaving anything. */
export function homeProblem(path: string): { code: ErrorCode; what: string } | null {
  const refusal = networkRefusal(path);
  if (refusal !== null) return { code: 'FOLDER_ON_NETWORK', what: refusal.what };
  let existing = path;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    probe(existing);
    return null;
  } catch (error) {
    return { code: 'FOLDER_UNWRITABLE', what: error instanceof Error ? error.message : String(error) };
  }
}
