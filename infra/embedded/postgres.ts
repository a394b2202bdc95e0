/** The embedded PostgreSQL: a real server from npm on 127.0.0.1, its data in a folder, started and stopped by ropesweep. */
import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { RopesweepError } from '../../domain/errors.js';
import { postgresBinaries } from './postgresBinaries.js';
import {
  dataFolderOf,
  forgetStrangePostmaster,
  initialiseOnce,
  isReady,
  POSTGRES_DATABASE,
  POSTGRES_USER,
  prepareFolder,
  readOrMakePassword,
} from './postgresData.js';
import { accessFor, launch, serverAccount, type Access } from './serverAccount.js';
import { endsWithin, spawnServer, wasKilled, type Exit, type ServerProcess, type StopStep } from './serverProcess.js';
import { endOfLog, logSince } from './serverLog.js';

export interface PostgresOptions {
  /** Holds data and password; made if it does not exist. */
  readonly folder: string;
  readonly port: number;
  /** The server's own log; appended to. */
  readonly logFile: string;
  /** False only in tests: nothing is flushed to disk, so a power cut (not a kill) may lose data. */
  readonly durable?: boolean;
  readonly onSpawn?: (pid: number) => void;
}

export interface PostgresServer extends ServerProcess {
  /** Holds the password: never print it. */
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly exited: Promise<Exit>;
}

/** Fast shutdown (roll back, checkpoint, end), then immediate (recovers at the next start). */
export const POSTGRES_STOP: readonly StopStep[] = [
  { signal: 'SIGINT', waitMs: 15_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
];

/** Crash recovery of a large log takes its time; a server that dies is noticed at once and not waited for. */
const READY_LIMIT_MS = 120_000;
const START_ATTEMPTS = 10;

/**
 * For a laptop: few processes, little memory, and nothing that only replication needs. A sweep of a million cells writes half a
 * gigabyte of index at random places: with less memory and log, most of its time would go to whole pages after checkpoints.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '256MB',
  io_method: 'sync',
  jit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '1GB',
  timezone: 'UTC',
  log_timezone: 'UTC',
};
const NOT_DURABLE: Readonly<Record<string, string>> = { fsync: 'off', full_page_writes: 'off' };

/**
 * Makes the data on first use, starts the server and resolves when the database answers. After a kill -9 of a server on the
 * same folder it waits until what is left of that one has ended.
 * @throws RopesweepError PORT_TAKEN, or STACK_FAILED with the end of the log.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { folder, port, durable = true } = options;
  const binaries = await postgresBinaries();
  const account = serverAccount(dataFolderOf(folder));
  prepareFolder(folder, account);
  const access = accessFor(account, folder, binaries.postgres);
  const password = readOrMakePassword(folder);
  await initialiseOnce(folder, binaries, access, { password, durable });
  forgetStrangePostmaster(folder);

  const url = urlOf(password, port, POSTGRES_DATABASE);
  for (let attempt = 1; ; attempt++) {
    const started = await attemptStart(binaries.postgres, access, options, urlOf(password, port, 'postgres'));
    if ('server' in started) return { ...started.server, url, port, folder };
    const { said, exit } = started;
    if (said.includes('could not bind') || said.includes('Address already in use')) {
      throw new RopesweepError('PORT_TAKEN', { where: `127.0.0.1:${port}`, what: 'another program listens there, so PostgreSQL cannot' });
    }
    // The processes of a killed server end one by one and hold its shared memory until then.
    const leftovers = said.includes('pre-existing shared memory block') || said.includes('lock file "postmaster.pid" already exists');
    if (!(leftovers || wasKilled(exit)) || attempt === START_ATTEMPTS) {
      throw new RopesweepError('STACK_FAILED', { where: options.logFile, what: `PostgreSQL ended while it started:\n${endOfLog(said)}` });
    }
    await sleep(Math.min(100 * 2 ** (attempt - 1), 2_000));
  }
}

async function attemptStart(
  program: string,
  access: Access,
  options: PostgresOptions,
  adminUrl: string,
): Promise<{ server: ServerProcess } | { said: string; exit: Exit }> {
  const { folder, port, logFile, durable = true, onSpawn } = options;
  const logStart = existsSync(logFile) ? statSync(logFile).size : 0;
  const settings = Object.entries({ ...SETTINGS, ...(durable ? {} : NOT_DURABLE) });
  const server = await spawnServer({
    ...launch(access, program, ['-D', dataFolderOf(folder), '-p', String(port), ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])]),
    // Messages in English: this file reads them.
    env: { ...process.env, LC_ALL: 'C' },
    logFile,
    stopSteps: POSTGRES_STOP,
    onSpawn,
  });
  const deadline = Date.now() + READY_LIMIT_MS;
  // The data folder says when this server is ready; the port alone might be answered by a stranger.
  while (!isReady(folder, server.pid)) {
    if (await endsWithin(server.exited, 25)) return { said: logSince(logFile, logStart), exit: await server.exited };
    if (Date.now() > deadline) {
      await server.stop();
      throw new RopesweepError('STACK_FAILED', { where: logFile, what: `PostgreSQL is not ready after ${READY_LIMIT_MS / 1000} s:\n${endOfLog(logSince(logFile, logStart))}` });
    }
  }
  try {
    await makeDatabase(adminUrl);
    return { server };
  } catch (cause) {
    if (await endsWithin(server.exited, 25)) return { said: logSince(logFile, logStart), exit: await server.exited };
    await server.stop();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RopesweepError('STACK_FAILED', { where: logFile, what: `PostgreSQL is up but does not serve ropesweep: ${why}` }, { cause });
  }
}

async function makeDatabase(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [POSTGRES_DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${POSTGRES_DATABASE}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const urlOf = (password: string, port: number, database: string): string => `postgresql://${POSTGRES_USER}:${password}@127.0.0.1:${port}/${database}`;
