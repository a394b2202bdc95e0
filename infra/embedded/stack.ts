/**
 * The embedded stack: PostgreSQL at once, Temporal when someone asks for it, both kept running, owned by one process per home
 * and shared with those who attach. A run with nothing to compute needs no Temporal and starts none.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RopesweepError } from '../../domain/errors.js';
import { register, untilNobodyAttached } from './attached.js';
import { startGuardian } from './guardian.js';
import { homePath, prepareHome } from './homeFolder.js';
import { acquireLock, attachable, type AttachedLock, type OwnedLock, type OwnerRecord, type RecordedServer } from './lock.js';
import { stopOrphans } from './orphans.js';
import { configuredPorts, freePort, refuseTakenPorts, type ConfiguredPorts } from './ports.js';
import { POSTGRES_STOP, startPostgres } from './postgres.js';
import { identify } from './processIdentity.js';
import type { ServerProcess, StopStep } from './serverProcess.js';
import { supervise, type Restart, type Supervised } from './supervise.js';
import { startTemporal, TEMPORAL_NAMESPACE, TEMPORAL_STOP, type TemporalServer } from './temporal.js';
import { findTemporal } from './temporalBinary.js';

export interface StackOptions {
  /** Default: ROPESWEEP_HOME, or .ropesweep in the working directory. */
  readonly home?: string;
  /** The sweep that this command runs; null for one that only reads. */
  readonly sweep: string | null;
  /** Open it to stay until it is taken down (`ropesweep up`). */
  readonly up?: boolean;
  readonly log: (line: string) => void;
  /** A PostgreSQL of the user's own: then only Temporal is embedded. */
  readonly databaseUrl?: string;
  /** False only in tests: see PostgresOptions. */
  readonly durable?: boolean;
}

export interface EmbeddedTemporal {
  readonly address: string;
  readonly uiUrl: string;
}

export interface Stack {
  /** Real path of the folder. */
  readonly home: string;
  /** Holds the password: never print it. */
  readonly databaseUrl: string;
  /** Who owns the stack, when this process is only attached. */
  readonly attached: OwnerRecord | null;
  /** The running Temporal; the owner starts it at the first call. */
  temporal(): Promise<EmbeddedTemporal>;
  /** Rejects when a server died too often to be kept running. */
  readonly failed: Promise<never>;
  onRestart(listener: (restart: Restart) => void): void;
  /** Whether the owner that this process is attached to has ended or is about to; always false for the owner. */
  ownerGone(): boolean;
  /** Whether that owner closed for good: nobody is to go on in its place. */
  takenDown(): boolean;
  /** The owner says which device class its worker evaluates. */
  serves(deviceClass: string): void;
  /** Stops what this process started; resolves when it has ended. Idempotent. */
  close(): Promise<void>;
}

interface Database {
  readonly url: string;
  stop(): Promise<void>;
}

/** How long an owner waits for attached commands to read the last rows. */
const ATTACHED_LIMIT_MS = 30_000;
/** A port that was free may be taken by another program before the server listens. */
const PORT_ATTEMPTS = 3;

/**
 * Opens the stack: as its owner, or attached to the process that owns it.
 * @throws RopesweepError FOLDER_UNWRITABLE, FOLDER_ON_NETWORK, CONFIG_INVALID, PORT_TAKEN, STACK_LOCKED before anything starts;
 * STACK_FAILED if PostgreSQL does not start.
 */
export async function openStack(options: StackOptions): Promise<Stack> {
  const ports = configuredPorts();
  const home = prepareHome(homePath(options.home));
  for (;;) {
    const lock = await acquireLock(home, options.sweep, options.up);
    const stack = lock.kind === 'owner' ? await own(home, lock, ports, options) : await attach(home, lock);
    if (stack !== null) return stack;
  }
}

async function own(home: string, lock: OwnedLock, ports: ConfiguredPorts, options: StackOptions): Promise<Stack> {
  const { log } = options;
  const guardian = startGuardian();
  const running = new Map<string, RecordedServer>();
  const restartListeners: ((restart: Restart) => void)[] = [];
  let fail: (error: RopesweepError) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => undefined);

  /** Records a server the moment it exists, so that it is found whatever happens to this process. */
  const recorder = (name: string, [step]: readonly StopStep[]) => (pid: number) => {
    const identity = identify(pid);
    const stopSignal = step?.signal ?? 'SIGTERM';
    const before = running.get(name);
    if (before !== undefined) guardian.forget(before.pid);
    if (identity === null) return;
    guardian.watch(pid, stopSignal);
    running.set(name, { ...identity, name, stopSignal });
    lock.publish({ servers: [...running.values()] });
  };
  const keep = <Server extends ServerProcess>(part: string, start: () => Promise<Server>): Promise<Supervised<Server>> =>
    supervise({
      part,
      start,
      log,
      onRestart: (restart) => {
        for (const listener of restartListeners) listener(restart);
      },
      onGiveUp: (error) => fail(error),
    });
  const startDatabase = async (): Promise<Database> => {
    if (options.databaseUrl !== undefined) return { url: options.databaseUrl, stop: () => Promise.resolve() };
    const postgres = await onFreePort(ports.postgres, (port) =>
      keep('PostgreSQL', () =>
        startPostgres({
          folder: join(home, 'postgres'),
          port,
          logFile: join(home, 'logs', 'postgres.log'),
          durable: options.durable ?? true,
          onSpawn: recorder('PostgreSQL', POSTGRES_STOP),
        }),
      ),
    );
    return { url: postgres.server.url, stop: () => postgres.stop() };
  };

  let database: Database;
  try {
    await stopOrphans(lock.orphans, join(home, 'postgres'), log);
    lock.publish({ servers: [] });
    await refuseTakenPorts(ports);
    database = await startDatabase();
  } catch (error) {
    guardian.release();
    lock.release();
    throw error;
  }
  lock.publish({ databaseUrl: database.url, state: 'ready' });

  let temporal: Promise<Supervised<TemporalServer>> | null = null;
  async function launchTemporal(): Promise<Supervised<TemporalServer>> {
    const binary = await findTemporal({ home, log });
    const uiPort = ports.temporalUi ?? (await freePort());
    const supervised = await onFreePort(ports.temporal, (port) =>
      keep('Temporal', () =>
        startTemporal({
          binary,
          databaseFile: join(home, 'temporal', 'temporal.db'),
          port,
          uiPort,
          logFile: join(home, 'logs', 'temporal.log'),
          onSpawn: recorder('Temporal', TEMPORAL_STOP),
        }),
      ),
    );
    const { address, uiUrl } = supervised.server;
    writeFileSync(join(home, 'temporal', 'client.toml'), `[profile.default]\naddress = "${address}"\nnamespace = "${TEMPORAL_NAMESPACE}"\n`);
    lock.publish({ temporalAddress: address, uiUrl });
    return supervised;
  }

  let closing: Promise<void> | null = null;
  async function close(): Promise<void> {
    lock.publish({ state: 'closing', takenDown: options.up === true });
    if (!(await untilNobodyAttached(home, ATTACHED_LIMIT_MS))) log('stopping the servers although another command still uses them');
    // A Temporal that is still starting is let start, then stopped; one that failed to start has nothing to stop.
    const started = await temporal?.catch(() => null);
    await Promise.all([database.stop(), started?.stop()]);
    guardian.release();
    lock.release();
  }

  return {
    home,
    databaseUrl: database.url,
    attached: null,
    failed,
    temporal: async () => {
      if (closing !== null) throw new RopesweepError('INTERNAL', { where: 'embedded stack', what: 'Temporal was asked for after the stack was closed' });
      temporal ??= launchTemporal();
      try {
        const { address, uiUrl } = (await temporal).server;
        return { address, uiUrl };
      } catch (error) {
        temporal = null;
        throw error;
      }
    },
    onRestart: (listener) => restartListeners.push(listener),
    ownerGone: () => false,
    takenDown: () => false,
    serves: (deviceClass) => lock.publish({ deviceClass }),
    close: () => (closing ??= close()),
  };
}

/**
 * Attaches to the stack that runs in the home, and starts none.
 * @returns null where none runs, or its owner is about to leave
 */
export async function attachStack(home: string): Promise<Stack | null> {
  const lock = attachable(home);
  return lock === null ? null : attach(home, lock);
}

/** Null if the owner left before this process could use its stack. */
async function attach(home: string, lock: AttachedLock): Promise<Stack | null> {
  const leave = register(home);
  // Only an owner that is not closing after the registration is bound to wait for it.
  const owner = await until(() => present(lock), (record) => record.databaseUrl !== undefined);
  if (owner?.databaseUrl === undefined) {
    leave();
    return null;
  }
  return {
    home,
    databaseUrl: owner.databaseUrl,
    attached: owner,
    failed: new Promise<never>(() => undefined),
    temporal: async () => {
      const record = await until(() => present(lock), ({ temporalAddress }) => temporalAddress !== undefined);
      if (record?.temporalAddress === undefined) {
        throw new RopesweepError('STACK_FAILED', { where: home, what: `process ${owner.pid}, which owned the stack, ended before it started Temporal`, mend: 'Run the command again.' });
      }
      return { address: record.temporalAddress, uiUrl: record.uiUrl ?? '' };
    },
    onRestart: () => undefined,
    ownerGone: () => present(lock) === null,
    takenDown: () => lock.takenDown(),
    serves: () => undefined,
    close: () => {
      leave();
      return Promise.resolve();
    },
  };
}

/** The owner's record while it means to stay. */
function present(lock: AttachedLock): OwnerRecord | null {
  const record = lock.refresh();
  return record?.state === 'closing' ? null : record;
}

/** The record as soon as it has what is wanted; null if the owner leaves first. */
async function until(look: () => OwnerRecord | null, wanted: (record: OwnerRecord) => boolean): Promise<OwnerRecord | null> {
  for (;;) {
    const record = look();
    if (record === null || wanted(record)) return record;
    await sleep(50);
  }
}

async function onFreePort<Result>(configured: number | undefined, start: (port: number) => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(configured ?? (await freePort()));
    } catch (error) {
      const taken = error instanceof RopesweepError && error.code === 'PORT_TAKEN';
      if (!taken || configured !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}
