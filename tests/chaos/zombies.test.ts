import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import getPort from 'get-port';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startGuardian, type Guardian } from '../../infra/embedded/guardian.js';
import { startPostgres, type PostgresServer } from '../../infra/embedded/postgres.js';
import { startTemporal, type TemporalServer } from '../../infra/embedded/temporal.js';
import { migrate } from '../../results/migrate.js';
import { query } from '../infra/query.js';
import { sharedTemporal } from '../infra/sharedTemporal.js';
import { finished, openPlace, type Place, type RunningCommand } from '../endToEnd/command.js';
import { undisturbedRun } from './chaos.js';
import { openLink, type Link } from './link.js';
import { leave, leaveAll } from './places.js';
import { writeSweep } from './sweep.js';
import { compare, exportedRows } from './verdict.js';
import { installWitness, testimony } from './witness.js';

const CELLS = 600;

/** Servers that workers reach over the network, as on a cluster. */
let place: Place;
/** A test run that is killed takes its servers with it. */
let guardian: Guardian;
let postgres: PostgresServer;
let temporal: TemporalServer;
let link: Link;
beforeAll(async () => {
  place = await openPlace();
  guardian = startGuardian();
  const onSpawn = (pid: number): void => guardian.watch(pid, 'SIGTERM');
  [postgres, temporal] = await Promise.all([
    startPostgres({ folder: join(place.folder, 'postgres'), port: await getPort(), logFile: join(place.folder, 'postgres.log'), durable: false, onSpawn }),
    startTemporal({ binary: await sharedTemporal(), databaseFile: join(place.folder, 'temporal.db'), port: await getPort(), uiPort: await getPort(), logFile: join(place.folder, 'temporal.log'), onSpawn }),
  ]);
  link = await openLink([postgres.port, Number(temporal.address.split(':')[1])]);
  await migrate(postgres.url);
  await installWitness(postgres.url);
}, 300_000);
afterAll(async () => {
  await leave(place);
  await link.close();
  await Promise.all([temporal.stop(), postgres.stop()]);
  guardian.release();
  await leaveAll();
});

/** The shard that a worker holds now. */
async function heldBy(worker: RunningCommand): Promise<string | null> {
  const rows = (await query(postgres.url, `SELECT id FROM shards WHERE state = 'leased' AND leased_by LIKE '%/${String(worker.pid)}'`)) as { id: string }[];
  return rows[0]?.id ?? null;
}

/** Strikes while the worker is in the middle of a shard, and returns that; a strike that came too late is taken back. */
async function catchBusy(worker: RunningCommand, strike: () => void, takeBack: () => void): Promise<string> {
  for (const end = Date.now() + 120_000; Date.now() < end; ) {
    await sleep(20);
    const shard = await heldBy(worker);
    if (shard === null) continue;
    strike();
    // What was on its way when it was struck has arrived by then.
    await sleep(1_000);
    if ((await heldBy(worker)) === shard) return shard;
    takeBack();
  }
  throw new Error('the worker was never busy');
}

async function until(what: string, holds: () => Promise<boolean>, limitMs: number): Promise<void> {
  for (const end = Date.now() + limitMs; Date.now() < end; ) {
    if (await holds()) return;
    await sleep(200);
  }
  throw new Error(`waited ${String(limitMs)} ms in vain for ${what}`);
}

it('of a worker that is cut off and one that is stopped, both longer than the heartbeat timeout, nothing is written late: others do their shards, the rows are those of an undisturbed run, and both come back; two commands that submit one sweep at once run it once', async () => {
  const undisturbed = await undisturbedRun(CELLS, (line) => console.log(line));
  const near = { DATABASE_URL: postgres.url, TEMPORAL_ADDRESS: temporal.address };
  const [databaseAddress = '', temporalAddress = ''] = link.addresses;
  const far = { DATABASE_URL: postgres.url.replace(`127.0.0.1:${String(postgres.port)}`, databaseAddress), TEMPORAL_ADDRESS: temporalAddress };
  const workers = [place.start(['worker', '--control'], near), place.start(['worker', '--slots', '1'], near)];
  const cutOff = place.start(['worker', '--slots', '1'], far, link.prefix);
  const stopped = place.start(['worker', '--slots', '1'], near);
  // On a busy machine the sweep would be done before the last of them has a shard.
  await until('the workers', async () => (await query(postgres.url, 'SELECT FROM workers')).length === 3, 120_000);
  const { file } = writeSweep(place.folder, CELLS);
  const commands = [0, 1].map(() => place.start(['run', file, '--json'], near));

  const [cutAway, stoppedAt] = await Promise.all([
    catchBusy(cutOff, () => link.cut(), () => link.heal()),
    catchBusy(stopped, () => stopped.child.kill('SIGSTOP'), () => stopped.child.kill('SIGCONT')),
  ]);
  const struckAt = Date.now();
  console.log(`one worker is cut off (${link.kind}), one is stopped`);
  const ends = await Promise.all(commands.map((command) => command.ended));
  for (const { code, stderr } of ends) expect(code, stderr).toBe(0);
  expect(ends.map((end) => finished(end)).map(({ state, revision }) => ({ state, revision }))).toEqual([{ state: 'done', revision: 1 }, { state: 'done', revision: 1 }]);

  // They wake up with results that nobody wants any more.
  const wokenAt = new Date();
  link.heal();
  stopped.child.kill('SIGCONT');
  for (const worker of [cutOff, stopped]) {
    const fresh = async (): Promise<boolean> => (await query(postgres.url, `SELECT FROM workers WHERE id LIKE '%/${String(worker.pid)}' AND heartbeat_at > '${wokenAt.toISOString()}'`)).length > 0;
    await until('the worker to be back', fresh, 120_000);
  }
  const heard = await testimony(postgres.url);
  expect(compare(undisturbed.rows, await exportedRows(place, near), heard)).toEqual({ lost: 0, duplicated: 0, equal: true });
  expect(heard).toMatchObject({ staleWrites: 0, leasedShards: 0, wrongCounters: 0 });
  for (const shard of [cutAway, stoppedAt]) {
    const attempts = heard.attempts.filter((attempt) => attempt.shard === shard);
    const last = attempts.at(-1);
    console.log(`a shard of theirs was leased anew after ${(((last?.leasedAt ?? 0) - struckAt) / 1000).toFixed(1)} s`);
    expect(attempts.length).toBeGreaterThan(1);
  }
  stopped.child.kill('SIGTERM');
  expect((await stopped.ended).code).toBe(0);
  for (const worker of [...workers, cutOff]) worker.child.kill('SIGTERM');
  await Promise.all(workers.map((worker) => worker.ended));
}, 600_000);
