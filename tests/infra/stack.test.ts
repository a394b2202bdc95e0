import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { openStack, type Stack } from '../../infra/embedded/stack.js';
import type { RecordedServer } from '../../infra/embedded/lock.js';
import { isAlive } from '../../infra/embedded/processIdentity.js';
import type { Restart } from '../../infra/embedded/supervise.js';
import { runScript, STACK_SCRIPT, type Script } from './script.js';
import { sharedTemporal } from './sharedTemporal.js';
import { query } from './query.js';


let home: string;
const stacks: Stack[] = [];
let scripts: Script[] = [];
beforeAll(async () => {
  process.env['TEMPORAL_CLI_PATH'] = await sharedTemporal();
}, 600_000);
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'ropesweep-stack-'))));
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const script of scripts) script.child.kill('SIGKILL');
  await Promise.all(scripts.map((script) => script.exited));
  scripts = [];
  for (const stack of stacks.splice(0)) await stack.close();
  const left = recorded().filter(isAlive);
  for (const server of left) await ended(server);
  rmSync(home, { recursive: true, force: true });
}, 60_000);

async function open(sweep: string | null, options: { log?: (line: string) => void } = {}): Promise<Stack> {
  const stack = await openStack({ home, sweep, log: options.log ?? (() => undefined), durable: false });
  stacks.push(stack);
  return stack;
}

function ownerProcess(sweep: string, temporal: boolean, options: { prefix?: readonly string[]; env?: NodeJS.ProcessEnv } = {}): Script {
  const script = runScript(STACK_SCRIPT, [home, sweep, temporal ? 'temporal' : ''], options);
  scripts.push(script);
  return script;
}

/** What the owner of the home recorded, living or not. */
function recorded(): RecordedServer[] {
  const folder = join(home, 'lock');
  try {
    return readdirSync(folder).flatMap((name) => (JSON.parse(readFileSync(join(folder, name), 'utf8')) as { servers: RecordedServer[] }).servers);
  } catch {
    return [];
  }
}

async function ended(server: RecordedServer, limitMs = 15_000): Promise<number> {
  const began = Date.now();
  while (isAlive(server)) {
    if (Date.now() - began > limitMs) throw new Error(`${server.name} still runs`);
    await sleep(20);
  }
  return Date.now() - began;
}

test('kill -9 of PostgreSQL and of Temporal: both are back on their ports with their data, and the stack says so', async () => {
  const stack = await open('demo');
  const { address } = await stack.temporal();
  await query(stack.databaseUrl, 'CREATE TABLE kept (value int); INSERT INTO kept VALUES (7)');
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  await client.workflow.start('nobodyRunsIt', { workflowId: 'sweep/kept', taskQueue: 'none', args: [] });
  const restarts: Restart[] = [];
  stack.onRestart((restart) => restarts.push(restart));
  for (const server of recorded()) process.kill(server.pid, 'SIGKILL');
  while (restarts.length < 2) await sleep(20);
  console.log(restarts.map(({ part, downMs }) => `${part} was away for ${downMs} ms`).join(', '));
  expect(restarts.map(({ part }) => part).sort()).toEqual(['PostgreSQL', 'Temporal']);
  expect(await query(stack.databaseUrl, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
  expect((await client.workflow.getHandle('sweep/kept').describe()).status.name).toBe('RUNNING');
  await connection.close();
  const servers = recorded();
  expect(servers.map(({ name }) => name).sort()).toEqual(['PostgreSQL', 'Temporal']);
  const began = Date.now();
  await Promise.all([stack.close(), stack.close()]);
  console.log(`clean stop: ${Date.now() - began} ms`);
  expect(servers.filter(isAlive)).toEqual([]);
});

test('kill -9 of the owner: its guardian stops PostgreSQL and Temporal, and the next run finds the data', async () => {
  const owner = ownerProcess('demo', true);
  const { url } = await owner.next();
  await query(String(url), 'CREATE TABLE kept (value int); INSERT INTO kept VALUES (7)');
  const servers = recorded();
  expect(servers.filter(isAlive)).toHaveLength(2);
  owner.child.kill('SIGKILL');
  const gone = await Promise.all(servers.map((server) => ended(server)));
  console.log(`gone after ${gone.join(' and ')} ms`);
  const next = await open('demo');
  expect(await query(next.databaseUrl, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
});

test('kill -9 of the owner and its guardian: the next run stops what they left before it starts its own', async () => {
  const owner = ownerProcess('demo', true);
  await owner.next();
  const servers = recorded();
  const [guardian] = spawnSync('ps', ['-o', 'pid=,comm=', '--ppid', String(owner.pid)], { encoding: 'utf8' }).stdout.split('\n').filter((line) => /\bsh$/.test(line));
  process.kill(Number.parseInt(guardian ?? '', 10), 'SIGKILL');
  owner.child.kill('SIGKILL');
  await owner.exited;
  await sleep(300);
  expect(servers.filter(isAlive)).toHaveLength(2);
  const lines: string[] = [];
  const next = await open('another sweep', { log: (line) => lines.push(line) });
  expect(servers.filter(isAlive)).toEqual([]);
  expect(lines.filter((line) => line.includes('of a run that was killed'))).toHaveLength(2);
  expect(await query(next.databaseUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('runs of the same sweep and of another attach, and the owner waits for who is attached', async () => {
  const stack = await open('demo');
  const second = ownerProcess('demo', false);
  expect(await second.next()).toMatchObject({ url: stack.databaseUrl, attached: process.pid });
  const other = ownerProcess('other', false);
  expect(await other.next()).toMatchObject({ url: stack.databaseUrl, attached: process.pid });
  const closing = stack.close();
  await sleep(100);
  other.say('close');
  expect(await other.next()).toEqual({ closed: true });
  second.say('gone');
  expect(await second.next()).toEqual({ gone: true });
  // The database is there until the attached command has gone.
  expect(await query(stack.databaseUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  second.say('close');
  expect(await second.next()).toEqual({ closed: true });
  await closing;
  await expect(query(stack.databaseUrl, 'SELECT 1')).rejects.toThrow();
});

test('an attached process sees that its owner was killed', async () => {
  const owner = ownerProcess('demo', false);
  await owner.next();
  const stack = await open('demo');
  expect(stack.attached?.pid).toBe(owner.pid);
  expect(stack.ownerGone()).toBe(false);
  owner.child.kill('SIGKILL');
  await owner.exited;
  expect(stack.ownerGone()).toBe(true);
  await expect(stack.temporal()).rejects.toMatchObject({ code: 'STACK_FAILED' });
});

test('taken ports are all named before anything starts, wrong ones too', async () => {
  const blocker = createServer();
  await new Promise<void>((done) => blocker.listen(0, '127.0.0.1', done));
  const bound = blocker.address();
  const port = typeof bound === 'object' && bound !== null ? String(bound.port) : '';
  try {
    vi.stubEnv('ROPESWEEP_TEMPORAL_PORT', port);
    await expect(open('demo')).rejects.toMatchObject({ code: 'PORT_TAKEN', problems: [{ where: 'ROPESWEEP_TEMPORAL_PORT' }] });
    expect(readdirSync(home)).not.toContain('postgres');
    vi.stubEnv('ROPESWEEP_POSTGRES_PORT', port);
    vi.stubEnv('ROPESWEEP_TEMPORAL_UI_PORT', '70000');
    await expect(open('demo')).rejects.toMatchObject({ code: 'CONFIG_INVALID', problems: [{ where: 'ROPESWEEP_TEMPORAL_PORT' }, { where: 'ROPESWEEP_TEMPORAL_UI_PORT' }] });
  } finally {
    await new Promise((done) => blocker.close(done));
  }
});

test('a home that cannot be written is refused', async () => {
  const file = join(home, 'file');
  writeFileSync(file, '');
  const below = { home: join(file, 'home'), sweep: 'demo', log: () => undefined };
  await expect(openStack(below)).rejects.toMatchObject({ code: 'FOLDER_UNWRITABLE', problems: [{ where: below.home }] });
  await expect(openStack({ ...below, home: '/proc/ropesweep' })).rejects.toMatchObject({ code: 'FOLDER_UNWRITABLE' });
});

const NOBODY = 65_534;
test.runIf(process.getuid?.() === 0)('an ordinary user has a stack of its own, and is refused in a home of root', async () => {
  const prefix = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const env = { HOME: '/nonexistent' };
  // A program that the account may run, wherever the clone lies.
  const program = join(home, 'program');
  spawnSync('cp', [process.env['TEMPORAL_CLI_PATH'] ?? '', program]);
  chmodSync(home, 0o755);
  const refused = ownerProcess('demo', false, { prefix, env });
  expect(await refused.next()).toMatchObject({ code: 'FOLDER_UNWRITABLE' });
  for (const path of [home, program]) chownSync(path, NOBODY, NOBODY);
  const owner = ownerProcess('demo', true, { prefix, env: { ...env, TEMPORAL_CLI_PATH: program } });
  const said = await owner.next();
  expect(said).toMatchObject({ attached: null, address: expect.stringContaining('127.0.0.1:') as string });
  expect(await query(String(said['url']), 'SELECT current_user AS name')).toEqual([{ name: 'ropesweep' }]);
  owner.say('close');
  expect(await owner.next()).toEqual({ closed: true });
});
