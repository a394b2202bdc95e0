import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquireLock, ownerOf, type OwnedLock } from '../../infra/embedded/lock.js';
import { compiled, runScript, type Script } from './script.js';


let home: string;
let scripts: Script[] = [];
beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'ropesweep-lock-'))));
afterEach(async () => {
  for (const script of scripts) script.child.kill('SIGKILL');
  await Promise.all(scripts.map((script) => script.exited));
  scripts = [];
  rmSync(home, { recursive: true, force: true });
});

/** Takes the lock as soon as it is told, then holds it until it is killed or told to release it. */
const LOCKER = `
  import { createInterface } from 'node:readline';
  import { acquireLock } from '${compiled('infra/embedded/lock.js')}';
  const say = (value) => console.log(JSON.stringify(value));
  const [home, sweep] = process.argv.slice(1);
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  say({ ready: true });
  await lines.next();
  try {
    const lock = await acquireLock(home, sweep);
    say({ kind: lock.kind });
    await lines.next();
    lock.release?.();
    process.exit(0);
  } catch (error) {
    say({ kind: error.code });
    process.exit(0);
  }`;

function locker(sweep: string): Script {
  const script = runScript(LOCKER, [home, sweep]);
  scripts.push(script);
  return script;
}

async function owned(sweep: string | null): Promise<OwnedLock> {
  const lock = await acquireLock(home, sweep);
  if (lock.kind !== 'owner') throw new Error('attached');
  return lock;
}

test('of processes that race for an empty home or one with a dead owner exactly one wins', async () => {
  const racers = 5;
  for (let round = 0; round < 3; round++) {
    const racing = Array.from({ length: racers }, (_, index) => locker(`sweep-${round}-${index}`));
    await Promise.all(racing.map((script) => script.next()));
    for (const script of racing) script.say('go');
    const kinds = await Promise.all(racing.map(async (script) => (await script.next())['kind']));
    expect(kinds.filter((kind) => kind === 'owner')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'attached')).toHaveLength(racers - 1);
    // The winner dies without a word: the next round starts from a stale lock.
    for (const script of racing) script.child.kill('SIGKILL');
    await Promise.all(racing.map((script) => script.exited));
  }
  expect(readdirSync(join(home, 'lock'))).toHaveLength(1);
});

test('runs of this and of other sweeps and readers attach and see what the owner publishes', async () => {
  const lock = await owned('first');
  const same = await acquireLock(home, 'first');
  const other = await acquireLock(home, 'second');
  const reader = await acquireLock(home, null);
  expect([same.kind, other.kind, reader.kind]).toEqual(['attached', 'attached', 'attached']);
  if (same.kind !== 'attached') throw new Error('not attached');
  lock.publish({ databaseUrl: 'postgresql://here', state: 'ready' });
  expect(same.refresh()).toMatchObject({ databaseUrl: 'postgresql://here', state: 'ready', pid: process.pid });
  lock.release();
  expect(same.refresh()).toBeNull();
  (await owned('second')).release();
});

test('a stack that is to stay is refused where a sweep runs or one is up already, with the pid; runs attach to it and hear that it is taken down', async () => {
  const run = await owned('first');
  await expect(acquireLock(home, null, true)).rejects.toMatchObject({ code: 'STACK_LOCKED', message: expect.stringContaining(`process ${process.pid} has been running sweep first`) as string });
  run.release();
  const up = await acquireLock(home, null, true);
  if (up.kind !== 'owner') throw new Error('attached');
  expect(ownerOf(home)).toMatchObject({ up: true, pid: process.pid });
  await expect(acquireLock(home, null, true)).rejects.toMatchObject({ code: 'STACK_LOCKED', message: expect.stringContaining('it is up already') as string });
  const attached = await acquireLock(home, 'second');
  if (attached.kind !== 'attached') throw new Error('not attached');
  expect(attached.takenDown()).toBe(false);
  up.publish({ state: 'closing', takenDown: true });
  expect(attached.takenDown()).toBe(true);
  up.release();
  expect(attached.takenDown()).toBe(true);
  expect(ownerOf(home)).toBeNull();
});

test('a run waits for a reader, and anyone for an owner that is closing', async () => {
  const reader = await owned(null);
  const run = acquireLock(home, 'first');
  expect(await Promise.race([run, new Promise((done) => setTimeout(() => done('waiting'), 200))])).toBe('waiting');
  reader.release();
  const lock = await run;
  if (lock.kind !== 'owner') throw new Error('not the owner');
  lock.publish({ state: 'closing' });
  const next = acquireLock(home, 'second');
  expect(await Promise.race([next, new Promise((done) => setTimeout(() => done('waiting'), 200))])).toBe('waiting');
  lock.release();
  const last = await next;
  expect(last.kind).toBe('owner');
  if (last.kind === 'owner') last.release();
});

test('a dead owner hands its servers on, and the file is for its owner alone', async () => {
  const script = locker('first');
  await script.next();
  script.say('go');
  expect(await script.next()).toEqual({ kind: 'owner' });
  script.child.kill('SIGKILL');
  await script.exited;
  const lock = await owned('second');
  lock.publish({ servers: [{ pid: 1, started: 'x', name: 'PostgreSQL', stopSignal: 'SIGINT' }] });
  const [file = ''] = readdirSync(join(home, 'lock'));
  expect(existsSync(join(home, 'lock', file))).toBe(true);
  expect(readFileSync(join(home, 'lock', file), 'utf8')).toContain('"second"');
  lock.release();
});

test('an owner whose pid cannot be seen from here holds the home for as long as it touches its file', async () => {
  const file = join(home, 'lock', '000001.json');
  mkdirSync(join(home, 'lock'));
  // What a run in another container leaves: its pid means another process here, or none.
  writeFileSync(file, JSON.stringify({ pid: process.pid, started: 'then', place: 'elsewhere', startedAt: 'then', sweep: 'first', state: 'ready', servers: [] }));
  const touch = setInterval(() => utimesSync(file, new Date(), new Date()), 500);
  await expect(acquireLock(home, 'first')).rejects.toMatchObject({ code: 'STACK_LOCKED', message: expect.stringContaining('another container') as string });
  clearInterval(touch);
  const began = Date.now();
  (await owned('first')).release();
  console.log(`taken over after ${Date.now() - began} ms`);
});
