import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { configuredServers, openConnections, openStoreConnection, openWorkerServers } from '../../infra/connections.js';
import { doctor, isHealthy } from '../../infra/doctor.js';
import { sharedTemporal } from './sharedTemporal.js';

let home: string;
let binary: string;
beforeAll(async () => {
  binary = await sharedTemporal();
}, 600_000);
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ropesweep-connections-'));
  for (const name of Object.keys(process.env)) if (/^(TEMPORAL_|DATABASE_URL$|ROPESWEEP_)/.test(name)) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

const log = (): void => undefined;

test('with nothing configured both servers are embedded, and the same commands use them when the environment names them', async () => {
  vi.stubEnv('TEMPORAL_CLI_PATH', binary);
  const own = await openConnections({ home, sweep: 'demo', log });
  try {
    const temporal = await own.temporal();
    expect(own).toMatchObject({ embedded: true, attached: null });
    expect(temporal).toMatchObject({ namespace: 'default', connectionOptions: { address: temporal.address } });
    expect((await fetch(temporal.uiUrl ?? '')).ok).toBe(true);

    // A worker gets by its environment what the command has.
    for (const [name, value] of Object.entries(own.workerEnvironment())) vi.stubEnv(name, value);
    vi.stubEnv('TEMPORAL_CLI_PATH', undefined);
    expect(await openWorkerServers()).toMatchObject({ databaseUrl: own.databaseUrl, connectionOptions: { address: temporal.address }, namespace: 'default' });
    const configured = await openConnections({ home: join(home, 'other'), sweep: 'another', log });
    expect(configured).toMatchObject({ embedded: false, attached: null, databaseUrl: own.databaseUrl });
    expect(await configured.temporal()).toMatchObject({ address: temporal.address, uiUrl: null });
    expect(configured.workerEnvironment()).toEqual({});
    expect(await openStoreConnection({ home, log })).toMatchObject({ databaseUrl: own.databaseUrl });
    await configured.close();

    const checks = await doctor({ home });
    expect(checks.filter(({ part }) => part === 'PostgreSQL' || part === 'Temporal server').map(({ detail }) => detail)).toEqual(['answers', 'answers']);
    expect(JSON.stringify(checks)).not.toContain(new URL(own.databaseUrl).password);
  } finally {
    await own.close();
  }
});

test('a worker works for the stack that runs in its home, which waits for it to leave, and starts none', async () => {
  vi.stubEnv('TEMPORAL_CLI_PATH', binary);
  await expect(openWorkerServers(home)).rejects.toMatchObject({ code: 'CONFIG_INVALID', problems: [expect.objectContaining({ where: 'DATABASE_URL', what: expect.stringContaining(`no stack runs in ${home}`) as string })] });
  expect(readdirSync(home)).toEqual([]);
  const own = await openConnections({ home, sweep: 'demo', log });
  const { address } = await own.temporal();
  const servers = await openWorkerServers(home);
  expect(servers).toMatchObject({ databaseUrl: own.databaseUrl, connectionOptions: { address }, namespace: 'default' });
  expect(servers.ownerGone()).toBe(false);
  const closed = own.close();
  await expect.poll(() => servers.ownerGone()).toBe(true);
  await servers.close();
  await closed;
});

test('a reader finds the embedded store of a home that was used, and nothing in a new one', async () => {
  expect(await openStoreConnection({ home, log })).toBeNull();
  expect(readdirSync(home)).toEqual([]);
  const run = await openConnections({ home, sweep: 'demo', log });
  const beside = await openStoreConnection({ home, log });
  expect(beside?.databaseUrl).toBe(run.databaseUrl);
  await beside?.close();
  await run.close();
  const alone = await openStoreConnection({ home, log });
  expect(alone?.databaseUrl).toContain('127.0.0.1');
  await alone?.close();
});

test('every configured server that does not answer is named within seconds, without its password, and nothing is started', async () => {
  vi.stubEnv('DATABASE_URL', 'postgresql://me:secret@127.0.0.1:2/none');
  vi.stubEnv('TEMPORAL_ADDRESS', '127.0.0.1:1');
  const began = performance.now();
  const error: unknown = await openConnections({ home, sweep: 'demo', log }).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: 'SERVER_UNREACHABLE', problems: [{ where: 'PostgreSQL at 127.0.0.1:2 (DATABASE_URL)' }, { where: 'Temporal at 127.0.0.1:1' }] });
  expect(String(error)).not.toContain('secret');
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(readdirSync(home)).toEqual([]);
});

test.each([
  [{ TEMPORAL_ADDRESS: '127.0.0.1:1' }, 'DATABASE_URL'],
  [{ DATABASE_URL: 'mysql://here' }, 'DATABASE_URL'],
  [{ TEMPORAL_API_KEY: 'key' }, 'TEMPORAL_API_KEY'],
  [{ TEMPORAL_PROFILE: 'nowhere', DATABASE_URL: 'postgresql://127.0.0.1/x' }, 'TEMPORAL_PROFILE'],
])('an environment that contradicts itself is refused: %o', (env, where) => {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  expect(() => configuredServers()).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', problems: [expect.objectContaining({ where })] }));
});

test('doctor finds this machine fit, and says what to mend where it is not', async () => {
  vi.stubEnv('TEMPORAL_CLI_PATH', binary);
  const checks = await doctor({ home });
  expect(checks.filter(({ part, state }) => state !== 'ok' && part !== 'Build')).toEqual([]);
  vi.stubEnv('ROPESWEEP_POSTGRES_PORT', 'x');
  const ill = await doctor({ home: '/proc/ropesweep' });
  expect(isHealthy(ill)).toBe(false);
  for (const check of ill.filter(({ state }) => state !== 'ok')) expect(check.mend).toBeTruthy();
  expect(ill.filter(({ state }) => state !== 'ok').map(({ part }) => part)).toEqual(expect.arrayContaining(['Environment', 'Home folder']));
});
