/** The embedded Temporal: a dev server on 127.0.0.1 with its state in a SQLite file, Web UI included. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { RopesweepError } from '../../domain/errors.js';
import { endOfLog, logSince } from './serverLog.js';
import { endsWithin, spawnServer, wasKilled, type Exit, type ServerProcess, type StopStep } from './serverProcess.js';

export interface TemporalOptions {
  readonly binary: string;
  /** SQLite file; made on first use. Two servers on one file are prevented by the lock of the home, not by Temporal. */
  readonly databaseFile: string;
  readonly port: number;
  readonly uiPort: number;
  readonly logFile: string;
  readonly onSpawn?: (pid: number) => void;
}

export interface TemporalServer extends ServerProcess {
  /** host:port of the gRPC frontend. */
  readonly address: string;
  readonly uiUrl: string;
}

/** The server itself takes about 2.3 s to end. */
export const TEMPORAL_STOP: readonly StopStep[] = [{ signal: 'SIGTERM', waitMs: 10_000 }];
export const TEMPORAL_NAMESPACE = 'default';

const READY_LIMIT_MS = 60_000;
const START_ATTEMPTS = 3;

const FLAGS = [
  // Write-ahead log: 2-4 times the throughput of the default; a kill loses nothing, a power cut may lose the last commits,
  // which the sweep's reconciliation with PostgreSQL makes good.
  '--sqlite-pragma', 'journal_mode=wal',
  '--sqlite-pragma', 'synchronous=normal',
  '--search-attribute', 'SweepId=Keyword',
  // Priority and fairness are strict only with one partition per queue.
  '--dynamic-config-value', 'matching.enableFairness=true',
  '--dynamic-config-value', 'matching.numTaskqueueReadPartitions=1',
  '--dynamic-config-value', 'matching.numTaskqueueWritePartitions=1',
  '--log-level', 'warn',
]; // prettier-ignore

/**
 * Starts the server and resolves when its namespace answers; one that is killed meanwhile is started again.
 * @throws RopesweepError PORT_TAKEN, or STACK_FAILED with the end of the log.
 */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  for (let attempt = 1; ; attempt++) {
    const started = await attemptStart(options);
    if ('server' in started) return started.server;
    const { said, exit } = started;
    if (exit === null || !wasKilled(exit) || attempt === START_ATTEMPTS) throw startFailure(options, said, exit !== null);
  }
}

/** What it said where it did not come up, and how it ended; no end where it was still silent after the limit. */
async function attemptStart(options: TemporalOptions): Promise<{ server: TemporalServer } | { said: string; exit: Exit | null }> {
  const { binary, databaseFile, port, uiPort, logFile } = options;
  const address = `127.0.0.1:${port}`;
  mkdirSync(dirname(databaseFile), { recursive: true, mode: 0o700 });
  const logStart = existsSync(logFile) ? statSync(logFile).size : 0;
  const server = await spawnServer({
    command: binary,
    args: ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort), '--db-filename', databaseFile, ...FLAGS],
    env: withoutTemporalSettings(process.env),
    logFile,
    stopSteps: TEMPORAL_STOP,
    onSpawn: options.onSpawn,
  });
  const deadline = Date.now() + READY_LIMIT_MS;
  while (!(await answers(address))) {
    const ended = await endsWithin(server.exited, 50);
    if (ended) return { said: logSince(logFile, logStart), exit: await server.exited };
    if (Date.now() < deadline) continue;
    await server.stop();
    return { said: logSince(logFile, logStart), exit: null };
  }
  // A stranger on the port would have answered for a server that has already ended.
  if (await endsWithin(server.exited, 0)) return { said: logSince(logFile, logStart), exit: await server.exited };
  return { server: { ...server, address, uiUrl: `http://127.0.0.1:${uiPort}` } };
}

function startFailure(options: TemporalOptions, said: string, ended: boolean): RopesweepError {
  if (said.includes('address already in use') || said.includes("can't set frontend port") || said.includes("can't bind to")) {
    const ports = `127.0.0.1:${options.port} or :${options.uiPort}`;
    return new RopesweepError('PORT_TAKEN', { where: ports, what: `another program listens there, so Temporal cannot:\n${endOfLog(said)}` });
  }
  const what = ended ? 'Temporal ended while it started' : `Temporal does not answer after ${READY_LIMIT_MS / 1000} s`;
  return new RopesweepError('STACK_FAILED', { where: options.logFile, what: `${what}:\n${endOfLog(said)}` });
}

/** Whether the frontend serves the namespace, asked the way a client would. */
async function answers(address: string): Promise<boolean> {
  const { Connection } = await import('@temporalio/client');
  const connection = Connection.lazy({ address, connectTimeout: 1_000 });
  try {
    await connection.withDeadline(Date.now() + 1_000, () => connection.workflowService.describeNamespace({ namespace: TEMPORAL_NAMESPACE }));
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}

/** The program reads TEMPORAL_* as defaults of its flags; the embedded server is to depend on none. */
function withoutTemporalSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}
