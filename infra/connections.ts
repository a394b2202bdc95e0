/**
 * Where PostgreSQL and Temporal are: the embedded stack when nothing is configured, else the servers of the environment.
 *
 *   DATABASE_URL   Temporal's variables   what is used
 *   -              -                      both embedded
 *   set            set                    both as configured
 *   set            -                      that PostgreSQL, an embedded Temporal
 *   -              set                    refused: workers elsewhere could not reach an embedded PostgreSQL, and sweeps of two
 *                                         databases would share workflow ids
 *
 * Temporal's variables are those of its own environment configuration: TEMPORAL_ADDRESS, or a profile named by TEMPORAL_PROFILE
 * or TEMPORAL_CONFIG_FILE. A profile file in its default place alone configures nothing, so that a demo never lands on a
 * production server by surprise.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSConfig } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import pg from 'pg';
import { RopesweepError, type Problem } from '../domain/errors.js';
import { homePath, prepareHome } from './embedded/homeFolder.js';
import { attachStack, openStack, type Stack } from './embedded/stack.js';
import { ownerOf, type OwnerRecord } from './embedded/lock.js';
import { TEMPORAL_NAMESPACE } from './embedded/temporal.js';

/** Options that both the client's Connection and the worker's NativeConnection take. */
export interface TemporalConnectionOptions {
  readonly address: string;
  readonly tls?: TLSConfig | boolean;
  readonly apiKey?: string;
  readonly metadata?: Record<string, string>;
}

export interface TemporalServerInfo {
  /** host:port */
  readonly address: string;
  readonly namespace: string;
  /** Root of the Web UI; null where only the server is known. */
  readonly uiUrl: string | null;
  readonly connectionOptions: TemporalConnectionOptions;
}

export interface OpenOptions {
  /** Default: ROPESWEEP_HOME, or .ropesweep in the working directory. */
  readonly home?: string;
  /** The sweep that this command runs; null for one that only reads. */
  readonly sweep: string | null;
  /** Open the embedded stack to stay until it is taken down. */
  readonly up?: boolean;
  readonly log: (line: string) => void;
}

/** One shape for embedded and configured servers. */
export interface Connections {
  /** Absolute path of ropesweep's folder; with configured servers it holds logs only. */
  readonly home: string;
  /** Holds the password: never print it. */
  readonly databaseUrl: string;
  /** Whether Temporal is the embedded one, so that this machine's own worker serves it. */
  readonly embedded: boolean;
  /** The process that owns the embedded stack, when this one is only attached. */
  readonly attached: Pick<OwnerRecord, 'pid' | 'sweep' | 'up' | 'startedAt'> | null;
  /** Where Temporal is; an embedded one is started at the first call. */
  temporal(): Promise<TemporalServerInfo>;
  /** What a worker process needs in its environment; call it after temporal(). */
  workerEnvironment(): Record<string, string>;
  /** Rejects when an embedded server died too often to be kept running; race it against the work. */
  readonly failed: Promise<never>;
  /** Whether the owner of the stack that this process is attached to has ended or is about to. */
  ownerGone(): boolean;
  /** Whether that owner closed for good: nobody is to go on in its place. */
  takenDown(): boolean;
  /** Device class that the owner's worker evaluates; null while that is not known, and for configured servers. */
  servedClass(): string | null;
  /** The owner says which device class its worker evaluates. */
  serves(deviceClass: string): void;
  /** Stops what this process started. Idempotent. */
  close(): Promise<void>;
}

const REACH_LIMIT_MS = 5_000;

/**
 * Opens what a run needs. Configured servers are asked once, so that a wrong address is refused before anything starts.
 * @throws RopesweepError CONFIG_INVALID, SERVER_UNREACHABLE, and those of openStack.
 */
export async function openConnections(options: OpenOptions): Promise<Connections> {
  const configured = configuredServers();
  const problems = await unreachable(configured);
  if (problems.length > 0) throw new RopesweepError('SERVER_UNREACHABLE', problems);
  if (configured.databaseUrl !== null && configured.temporal !== null) return external(options, configured.databaseUrl, configured.temporal);
  const { databaseUrl } = configured;
  const stack = await openStack({ ...options, ...(databaseUrl === null ? {} : { databaseUrl }) });
  return embedded(stack);
}

/** The database, and the Temporal server beside it where one runs. */
export interface StoreConnection {
  readonly databaseUrl: string;
  /** null where nothing runs sweeps now: the embedded Temporal is started by a run only. */
  readonly temporal: TemporalServerInfo | null;
  /** Whether this command opened the embedded database by itself: then nobody runs anything on it. */
  readonly alone: boolean;
  close(): Promise<void>;
}

/**
 * Opens the database for a command that looks or steers.
 * @returns null when none is configured and nothing was ever run in this home.
 * @throws as openConnections
 */
export async function openStoreConnection(options: Omit<OpenOptions, 'sweep' | 'up'>): Promise<StoreConnection | null> {
  const { databaseUrl, temporal } = configuredServers();
  if (databaseUrl !== null) {
    const problems = await unreachable({ databaseUrl, temporal: null });
    if (problems.length > 0) throw new RopesweepError('SERVER_UNREACHABLE', problems);
    const server = temporal === null ? runningTemporal(homePath(options.home)) : { address: temporal.connectionOptions.address, uiUrl: null, ...temporal };
    return { databaseUrl, temporal: server, alone: false, close: () => Promise.resolve() };
  }
  if (!existsSync(join(homePath(options.home), 'postgres', 'data'))) return null;
  const stack = await openStack({ ...options, sweep: null });
  return { databaseUrl: stack.databaseUrl, temporal: runningTemporal(stack.home), alone: stack.attached === null, close: () => stack.close() };
}

/** The embedded Temporal of who holds the home now. */
function runningTemporal(home: string): TemporalServerInfo | null {
  const owner = ownerOf(home);
  if (owner?.temporalAddress === undefined) return null;
  return { address: owner.temporalAddress, namespace: TEMPORAL_NAMESPACE, uiUrl: owner.uiUrl ?? null, connectionOptions: { address: owner.temporalAddress } };
}

/** A database that is open because somebody else's stack runs, or that stands by itself. */
export interface RunningStore {
  readonly databaseUrl: string;
  /** The process that owns the embedded stack; null for a configured database. */
  readonly owner: Pick<OwnerRecord, 'pid' | 'sweep' | 'startedAt'> | null;
  /** Whether the owner has ended or is about to: it waits for those who read the last rows. */
  ownerGone(): boolean;
  close(): Promise<void>;
}

/**
 * Attaches to the database while it is there, and starts nothing: for a command that looks for long must not keep others out.
 * @returns null when none is configured and no stack runs in this home.
 * @throws as openConnections
 */
export async function attachRunningStore(home?: string): Promise<RunningStore | null> {
  const { databaseUrl } = configuredServers();
  if (databaseUrl !== null) {
    const problems = await unreachable({ databaseUrl, temporal: null });
    if (problems.length > 0) throw new RopesweepError('SERVER_UNREACHABLE', problems);
    return { databaseUrl, owner: null, ownerGone: () => false, close: () => Promise.resolve() };
  }
  const stack = await attachStack(homePath(home));
  return stack === null ? null : { databaseUrl: stack.databaseUrl, owner: stack.attached, ownerGone: () => stack.ownerGone(), close: () => stack.close() };
}

/** What a worker works for. */
export interface WorkerServers extends ConfiguredTemporal {
  readonly databaseUrl: string;
  /** Whether the owner of the stack has ended or waits for this worker to end; always false for configured servers. */
  ownerGone(): boolean;
  close(): Promise<void>;
}

/**
 * The configured servers; where none are, those of the stack that runs in the home. It starts none.
 * @throws RopesweepError CONFIG_INVALID where only one server is configured, or neither and no stack runs; STACK_FAILED if its owner leaves at once
 */
export async function openWorkerServers(home?: string): Promise<WorkerServers> {
  const { databaseUrl, temporal } = configuredServers();
  if (databaseUrl !== null) {
    if (temporal !== null) return { databaseUrl, ...temporal, ownerGone: () => false, close: () => Promise.resolve() };
    throw new RopesweepError('CONFIG_INVALID', { where: 'TEMPORAL_ADDRESS', what: 'it is not set, but DATABASE_URL is', mend: 'Set it to host:port of the Temporal server, or TEMPORAL_PROFILE to a profile of its configuration file.' });
  }
  const folder = homePath(home);
  const stack = await attachStack(folder);
  if (stack === null) {
    throw new RopesweepError('CONFIG_INVALID', {
      where: 'DATABASE_URL',
      what: `it is not set, and no stack runs in ${folder} whose servers the worker could use`,
      mend: 'Start one there (ropesweep up, or a run), or set DATABASE_URL and TEMPORAL_ADDRESS to the servers of a cluster: a worker starts none.',
    });
  }
  try {
    const { address } = await stack.temporal();
    return { databaseUrl: stack.databaseUrl, connectionOptions: { address }, namespace: TEMPORAL_NAMESPACE, ownerGone: () => stack.ownerGone(), close: () => stack.close() };
  } catch (error) {
    await stack.close();
    throw error;
  }
}

/** Temporal as the environment names it. */
interface ConfiguredTemporal {
  readonly connectionOptions: TemporalConnectionOptions;
  readonly namespace: string;
}

export interface ConfiguredServers {
  readonly databaseUrl: string | null;
  readonly temporal: ConfiguredTemporal | null;
}

/** @throws RopesweepError CONFIG_INVALID where the environment contradicts itself. */
export function configuredServers(): ConfiguredServers {
  const databaseUrl = configuredDatabase();
  const temporal = configuredTemporal();
  if (databaseUrl === null && temporal !== null) {
    throw new RopesweepError('CONFIG_INVALID', {
      where: 'DATABASE_URL',
      what: `it is not set, but Temporal is configured (${temporal.connectionOptions.address})`,
      mend: 'Set it to the PostgreSQL that all workers of that Temporal server reach, or unset the TEMPORAL_ variables for the embedded stack.',
    });
  }
  return { databaseUrl, temporal };
}

function configuredDatabase(): string | null {
  const url = process.env['DATABASE_URL'];
  if (url === undefined || url === '') return null;
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new RopesweepError('CONFIG_INVALID', { where: 'DATABASE_URL', what: 'it is not the URL of a PostgreSQL database', mend: 'Write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE.' });
  }
  return url;
}

/** Settings that mean nothing without a server to which they belong. */
const BELONGS_TO_A_SERVER = /^TEMPORAL_(NAMESPACE|API_KEY|TLS($|_)|GRPC_META_)/;

function configuredTemporal(): ConfiguredTemporal | null {
  const named = ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'].filter((name) => (process.env[name] ?? '') !== '');
  if (named.length === 0) {
    const stray = Object.keys(process.env).filter((name) => BELONGS_TO_A_SERVER.test(name) && process.env[name] !== '');
    if (stray.length === 0) return null;
    throw new RopesweepError('CONFIG_INVALID', stray.map((where) => ({ where, what: 'it is set, but no Temporal server is', mend: 'Set TEMPORAL_ADDRESS or TEMPORAL_PROFILE too, or unset it.' })));
  }
  let loaded: ReturnType<typeof loadClientConnectConfig>;
  try {
    loaded = loadClientConnectConfig();
  } catch (cause) {
    throw new RopesweepError('CONFIG_INVALID', { where: named.join(', '), what: cause instanceof Error ? cause.message : String(cause) }, { cause });
  }
  const { address, tls, apiKey, metadata } = loaded.connectionOptions;
  if (address === undefined) {
    throw new RopesweepError('CONFIG_INVALID', { where: named.join(', '), what: 'the Temporal profile has no address', mend: 'Add one to the profile, or set TEMPORAL_ADDRESS.' });
  }
  const connectionOptions: TemporalConnectionOptions = {
    address,
    ...(tls === undefined || tls === null ? {} : { tls }),
    ...(typeof apiKey === 'string' ? { apiKey } : {}),
    ...(metadata === undefined ? {} : { metadata: textOnly(metadata) }),
  };
  return { connectionOptions, namespace: loaded.namespace ?? TEMPORAL_NAMESPACE };
}

const textOnly = (metadata: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));

/** One problem for each configured server that does not serve; all are asked at once. */
export async function unreachable({ databaseUrl, temporal }: ConfiguredServers): Promise<Problem[]> {
  const asked = await Promise.all([databaseUrl === null ? null : databaseRefusal(databaseUrl), temporal === null ? null : temporalRefusal(temporal)]);
  return asked.filter((problem) => problem !== null);
}

async function databaseRefusal(url: string): Promise<Problem | null> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: REACH_LIMIT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return null;
  } catch (error) {
    return { where: `PostgreSQL at ${client.host}:${client.port} (DATABASE_URL)`, what: messageOf(error) };
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function temporalRefusal({ connectionOptions, namespace }: ConfiguredTemporal): Promise<Problem | null> {
  const where = `Temporal at ${connectionOptions.address}`;
  // Large; commands that ask no Temporal do without.
  const { Connection } = await import('@temporalio/client');
  const connection = Connection.lazy({ ...connectionOptions, connectTimeout: REACH_LIMIT_MS });
  try {
    await connection.withDeadline(Date.now() + REACH_LIMIT_MS, async () => {
      await connection.ensureConnected();
      await connection.workflowService.describeNamespace({ namespace });
    });
    return null;
  } catch (error) {
    return { where, what: messageOf(error) };
  } finally {
    await connection.close();
  }
}

function external(options: OpenOptions, databaseUrl: string, { connectionOptions, namespace }: ConfiguredTemporal): Connections {
  return {
    home: prepareHome(homePath(options.home)),
    databaseUrl,
    embedded: false,
    attached: null,
    temporal: () => Promise.resolve({ address: connectionOptions.address, namespace, uiUrl: null, connectionOptions }),
    // The worker inherits the same variables.
    workerEnvironment: () => ({}),
    failed: new Promise<never>(() => undefined),
    ownerGone: () => false,
    takenDown: () => false,
    servedClass: () => null,
    serves: () => undefined,
    close: () => Promise.resolve(),
  };
}

function embedded(stack: Stack): Connections {
  let address: string | null = null;
  return {
    home: stack.home,
    databaseUrl: stack.databaseUrl,
    embedded: true,
    attached: stack.attached,
    temporal: async () => {
      const running = await stack.temporal();
      address = running.address;
      return { ...running, namespace: TEMPORAL_NAMESPACE, connectionOptions: { address } };
    },
    workerEnvironment: () => {
      if (address === null) throw new RopesweepError('INTERNAL', { where: 'workerEnvironment', what: 'it was asked for before temporal()' });
      return {
        DATABASE_URL: stack.databaseUrl,
        TEMPORAL_ADDRESS: address,
        TEMPORAL_NAMESPACE,
        // A profile of the user's in its default place would lend the embedded server its TLS and keys.
        TEMPORAL_CONFIG_FILE: join(stack.home, 'temporal', 'client.toml'),
      };
    },
    failed: stack.failed,
    ownerGone: () => stack.ownerGone(),
    takenDown: () => stack.takenDown(),
    servedClass: () => ownerOf(stack.home)?.deviceClass ?? null,
    serves: (deviceClass) => stack.serves(deviceClass),
    close: () => stack.close(),
  };
}

function messageOf(error: unknown): string {
  // A refused connection to a name with several addresses has its reasons inside.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
