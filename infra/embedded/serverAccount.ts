/**
 * Under which account PostgreSQL runs. It refuses to run as root, so for root it runs as the owner of its data, which is
 * `postgres` where that account exists and `nobody` elsewhere; no account is created. A clone below a folder that only root
 * may enter (a home of root, mktemp -d) is closed to that account; there the server is started by setpriv with the one
 * capability that opens it, and stays a server that is not root.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { RopesweepError } from '../../domain/errors.js';

export interface ServerAccount {
  /** Absent when the server runs as the user who started ropesweep. */
  readonly uid?: number;
  readonly gid?: number;
}

/** An account and the command line that opens closed folders to it, to be put before a program; often empty. */
export interface Access extends ServerAccount {
  readonly prefix: readonly string[];
}

const ACCOUNTS = ['postgres', 'nobody'] as const;

/** The account for a data folder that may or may not exist yet. */
export function serverAccount(dataFolder: string): ServerAccount {
  if (process.getuid?.() !== 0) return {};
  if (existsSync(dataFolder)) {
    const owner = statSync(dataFolder);
    if (owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  }
  for (const name of ACCOUNTS) {
    const uid = numberOf('-u', name);
    const gid = numberOf('-g', name);
    if (uid !== null && gid !== null) return { uid, gid };
  }
  throw new RopesweepError('STACK_FAILED', {
    where: 'PostgreSQL',
    what: `it does not run as root, and this machine has no account named ${ACCOUNTS.join(' or ')}`,
    mend: 'Create an account named postgres, run ropesweep as an ordinary user, or set DATABASE_URL to a server.',
  });
}

function numberOf(option: '-u' | '-g', name: string): number | null {
  const result = spawnSync('id', [option, name], { encoding: 'utf8' });
  const number = Number.parseInt(result.stdout, 10);
  return result.status === 0 && Number.isInteger(number) ? number : null;
}

/**
 * How the account is let in where it has to read `program` and write `folder`.
 * @throws RopesweepError STACK_FAILED if there is no way in.
 */
export function accessFor(account: ServerAccount, folder: string, program: string): Access {
  const plain: Access = { ...account, prefix: [] };
  if (account.uid === undefined || account.gid === undefined || reaches(plain, folder, program)) return plain;
  const opened: Access = {
    prefix: [
      'setpriv',
      `--reuid=${account.uid}`,
      `--regid=${account.gid}`,
      '--clear-groups',
      '--inh-caps=+dac_override',
      '--ambient-caps=+dac_override',
      // Without it access(2), which PostgreSQL asks about its own files, ignores the capability.
      '--securebits=+no_setuid_fixup',
    ],
  };
  if (reaches(opened, folder, program)) return opened;
  throw new RopesweepError('STACK_FAILED', {
    where: folder,
    what: `PostgreSQL does not run as root, and the account it runs as (uid ${account.uid}) may not enter ${folder} or run ${program}`,
    mend: 'Let others enter the folders above them (chmod o+x), run ropesweep as an ordinary user, or set DATABASE_URL to a server.',
  });
}

/** The command line, its arguments and the account to spawn a program with. */
export function launch(access: Access, program: string, args: readonly string[]): ServerAccount & { command: string; args: string[] } {
  const [command = program, ...rest] = [...access.prefix, program, ...args];
  return {
    command,
    args: rest,
    ...(access.uid === undefined ? {} : { uid: access.uid }),
    ...(access.gid === undefined ? {} : { gid: access.gid }),
  };
}

function reaches(access: Access, folder: string, program: string): boolean {
  const question = '"$1" --version >/dev/null 2>&1 && cd "$2" && [ -w . ]';
  const { command, args, ...account } = launch(access, '/bin/sh', ['-c', question, 'sh', program, folder]);
  return spawnSync(command, args, { ...account, stdio: 'ignore' }).status === 0;
}
