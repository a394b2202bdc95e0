/**
 * Servers of a benchmark's own, as the embedded stack starts them: PostgreSQL durable, Temporal with its production flags; a
 * database that is dropped at the end; the benchmark's worker in a process of its own.
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import getPort from 'get-port';
import pg from 'pg';
import { cacheFolder } from '../infra/cacheFolder.js';
import { startGuardian } from '../infra/embedded/guardian.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { startPostgres } from '../infra/embedded/postgres.js';
import { startTemporal } from '../infra/embedded/temporal.js';
import { findTemporal } from '../infra/embedded/temporalBinary.js';
import { packageFile } from '../infra/packageRoot.js';
import { migrate } from '../results/migrate.js';
import { BENCH_DATABASE } from './noOpSlots.js';

export interface BenchStack {
  readonly folder: string;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** A database beside the benchmark's own, dropped with it. */
  newDatabase(): Promise<string>;
  /** Largest memory so far in MiB, by process. Of PostgreSQL's processes together, what they share counted once, as of now. */
  memory(): Record<string, number>;
  close(): Promise<void>;
}

export async function startBenchStack(): Promise<BenchStack> {
  const parent = join(cacheFolder(), 'bench');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'orchestration-'));
  const guardian = startGuardian();
  const onSpawn = (signal: NodeJS.Signals) => (pid: number) => guardian.watch(pid, signal);
  const postgres = await startPostgres({ folder: join(folder, 'postgres'), port: await getPort(), logFile: join(folder, 'postgres.log'), onSpawn: onSpawn('SIGINT') });
  const binary = await findTemporal({ home: homePath(), log: (line) => console.error(line) });
  const temporal = await startTemporal({ binary, databaseFile: join(folder, 'temporal.db'), port: await getPort(), uiPort: await getPort(), logFile: join(folder, 'temporal.log'), onSpawn: onSpawn('SIGTERM') });

  const databases: string[] = [];
  const newDatabase = async (): Promise<string> => {
    const name = `${BENCH_DATABASE}${randomBytes(6).toString('hex')}`;
    await onServer(postgres.url, `CREATE DATABASE ${name}`);
    databases.push(name);
    const url = new URL(postgres.url);
    url.pathname = `/${name}`;
    return url.href;
  };
  const databaseUrl = await newDatabase();
  await migrate(databaseUrl);
  const worker = fork(packageFile('dist', 'bench', 'orchestrationWorker.js'), [databaseUrl, temporal.address], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await Promise.race([once(worker, 'message'), once(worker, 'exit').then(() => Promise.reject(new Error('the worker of the benchmark ended')))]);

  return {
    folder,
    databaseUrl,
    temporalAddress: temporal.address,
    newDatabase,
    memory: () => ({
      worker: peakMemory(worker.pid ?? 0),
      'Temporal server': peakMemory(temporal.pid),
      PostgreSQL: childrenOf(postgres.pid).concat(postgres.pid).reduce((sum, pid) => sum + sharedOnce(pid), 0),
      command: peakMemory(process.pid),
    }),
    close: async () => {
      worker.kill('SIGKILL');
      for (const name of databases) await onServer(postgres.url, `DROP DATABASE ${name} WITH (FORCE)`);
      await Promise.all([temporal.stop(), postgres.stop()]);
      guardian.release();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A value in kB of a file of /proc, in MiB; NaN where the system has none. */
function kilobytes(path: string, name: string): number {
  try {
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(path, 'utf8'))?.[1] ?? NaN) / 1024;
  } catch {
    return NaN;
  }
}

const peakMemory = (pid: number): number => kilobytes(`/proc/${pid}/status`, 'VmHWM');
const sharedOnce = (pid: number): number => kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss') || 0;

function childrenOf(parent: number): number[] {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
    return pids.filter((pid) => Number(/^PPid:\s+(\d+)/m.exec(statusOf(pid))?.[1]) === parent);
  } catch {
    return [];
  }
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
