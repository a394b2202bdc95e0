import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import getPort from 'get-port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepId } from '../../domain/ids.js';
import { sweepWorkflowId } from '../../domain/orchestration.js';
import { startPostgres } from '../../infra/embedded/postgres.js';
import { startTemporal, type TemporalServer } from '../../infra/embedded/temporal.js';
import { migrate } from '../../results/migrate.js';
import { query } from '../infra/query.js';
import { sharedTemporal } from '../infra/sharedTemporal.js';
import { descendants, finished, measured, openPlace, waitFor, type Place, type RunningCommand } from './command.js';
import { SMALL_CELLS, writeSmallSweep } from './smallSweep.js';

/** Servers that ropesweep did not start, as on a cluster. */
let place: Place;
let temporal: TemporalServer;
const started: { stop(): Promise<void> }[] = [];
let environment: Record<string, string>;
let databaseUrl: string;
beforeAll(async () => {
  place = await openPlace();
  const keep = <Server extends { stop(): Promise<void> }>(server: Server): Server => {
    started.push(server);
    return server;
  };
  const [postgres, running] = await Promise.all([
    startPostgres({ folder: join(place.folder, 'postgres'), port: await getPort(), logFile: join(place.folder, 'postgres.log'), durable: false }).then(keep),
    startTemporal({ binary: await sharedTemporal(), databaseFile: join(place.folder, 'temporal.db'), port: await getPort(), uiPort: await getPort(), logFile: join(place.folder, 'temporal.log') }).then(keep),
  ]);
  temporal = running;
  databaseUrl = postgres.url;
  environment = { DATABASE_URL: postgres.url, TEMPORAL_ADDRESS: temporal.address };
});
afterAll(async () => {
  // One that did not start is not there to be stopped; the other is, and must not be left running.
  await Promise.all(started.map((server) => server.stop()));
  place.remove();
});

const worker = (...args: string[]): RunningCommand => place.start(['worker', ...args], environment);
const run = (spec: string, ...args: string[]): RunningCommand => place.start(['run', spec, '--json', ...args], environment);
/** Measurements are shared between sweeps: each test draws haystacks of its own. */
const long = (seed: number): string[] => ['--set', 'contextTokens=[1024,2048,3072]', '--set', `tasks[0].seeds=[${String(seed)},${String(seed + 1)}]`];

/** What Temporal was told of failed attempts at the sweep's shards. */
async function reportedFailures(sweep: string): Promise<string[]> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    const client = new Client({ connection });
    const failures: string[] = [];
    for await (const { workflowId } of client.workflow.list({ query: `WorkflowId STARTS_WITH "sweep/${sweep}/shard/"` })) {
      const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
      for (const { activityTaskFailedEventAttributes: failed } of events ?? []) if (failed?.failure?.message != null) failures.push(failed.failure.message);
    }
    return failures;
  } finally {
    await connection.close();
  }
}

async function untilRows(look: () => Promise<unknown[]>): Promise<unknown[]> {
  for (const limit = Date.now() + 60_000; Date.now() < limit; ) {
    const rows = await look();
    if (rows.length > 0) return rows;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error('no rows came within a minute');
}

/** SIGTERM: the worker drains and ends in order. */
async function stopped(command: RunningCommand): Promise<void> {
  command.child.kill('SIGTERM');
  const { code, stderr } = await command.ended;
  expect(code, stderr).toBe(0);
}

describe('with DATABASE_URL and TEMPORAL_ADDRESS set', () => {
  it('a run says which workers it waits for, and is done by those that come', async () => {
    const sweep = run(writeSmallSweep(place.folder, 'waits'));
    const notice = await waitFor('the notice', () => sweep.events().find((event) => String(event['message']).startsWith('waiting')), 30_000);
    expect(notice['message']).toContain('ropesweep-control and ropesweep-evaluate-cpu');
    const control = worker('--control');
    const evaluation = worker('--slots', '1');
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(finished(ended).cells).toMatchObject({ measured: SMALL_CELLS, failed: 0 });
    await stopped(evaluation);
    await stopped(control);
  });

  it('a worker that gets SIGTERM hands its shard back, and another one goes on with it', async () => {
    const control = worker('--control');
    const first = worker('--slots', '1');
    const sweep = run(writeSmallSweep(place.folder, 'drains'), ...long(11));
    await waitFor('the first cells', () => measured(sweep) >= 1);
    await stopped(first);
    expect(descendants(first.pid)).toEqual([]);
    const second = worker('--slots', '1');
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(finished(ended).cells).toMatchObject({ measured: SMALL_CELLS, failed: 0 });
    await Promise.all([stopped(second), stopped(control)]);
  });

  it('a worker that was killed is reported by the next one on its machine, which goes on with its shard', async () => {
    const control = worker('--control');
    const first = worker('--slots', '1');
    const sweep = run(writeSmallSweep(place.folder, 'killed'), ...long(15));
    await waitFor('the first cells', () => measured(sweep) >= 1);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = worker('--slots', '1');
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(finished(ended).cells).toMatchObject({ measured: SMALL_CELLS, failed: 0 });
    expect(await query(databaseUrl, "SELECT code, reason FROM shard_attempts WHERE code = 'WORKER_LOST'")).toEqual([{ code: 'WORKER_LOST', reason: 'its process is gone' }]);
    expect(await query(databaseUrl, `SELECT id FROM workers WHERE pid = ${String(first.pid)}`)).toEqual([]);
    // A heartbeat timeout is no failure that anybody reported.
    expect(await reportedFailures('killed')).toEqual([expect.stringContaining('is gone')]);
    await Promise.all([stopped(second), stopped(control)]);
  });

  it('a worker whose row of the registry is gone registers again with its next heartbeat', async () => {
    const evaluation = worker('--slots', '1');
    const row = () => query(databaseUrl, `SELECT id, state FROM workers WHERE pid = ${String(evaluation.pid)}`);
    await migrate(databaseUrl);
    const before = await untilRows(row);
    await query(databaseUrl, `DELETE FROM workers WHERE pid = ${String(evaluation.pid)}`);
    expect(await untilRows(row)).toEqual(before);
    await stopped(evaluation);
    expect(await row()).toEqual([]);
  });

  it('a cancel from Temporal kills the slot in the middle of its shard, keeps what is measured and ends cancelled', async () => {
    const both = worker('--control', '--slots', '1');
    // One shard of tens of seconds: a cancel reaches the worker with the answer to its next heartbeat.
    const endless = ['--set', 'methods=[none]', '--set', 'continualPretrainContextTokens=[null]', '--set', 'contextTokens=[16384]', '--set', 'tasks[0].seeds=[21]', '--set', 'tasks[0].depths=[0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.95,1]'];
    const sweep = run(writeSmallSweep(place.folder, 'cancelled'), ...endless);
    await waitFor('the first cells', () => measured(sweep) >= 1);
    const slot = descendants(both.pid).find(({ args }) => args.includes('slot.js'));
    expect(slot).toBeDefined();
    const connection = await Connection.connect({ address: temporal.address });
    await new Client({ connection }).workflow.getHandle(sweepWorkflowId('cancelled' as SweepId)).cancel();
    await connection.close();
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(3);
    const { state, cells } = finished(ended);
    expect(state).toBe('cancelled');
    expect(cells['measured']).toBeGreaterThanOrEqual(1);
    expect(cells['measured']).toBeLessThan(12);
    expect(descendants(both.pid).map(({ pid }) => pid)).not.toContain(slot?.pid);
    await stopped(both);
  });

  it('a sweep whose workflow was terminated by hand ends stopped and says so; the same command goes on', async () => {
    const both = worker('--control', '--slots', '1');
    const spec = writeSmallSweep(place.folder, 'terminated');
    const sweep = run(spec, ...long(31));
    await waitFor('the first cells', () => measured(sweep) >= 1);
    const connection = await Connection.connect({ address: temporal.address });
    await new Client({ connection }).workflow.getHandle(sweepWorkflowId('terminated' as SweepId)).terminate('by hand');
    await connection.close();
    const ended = await sweep.ended;
    expect(ended.code).toBe(3);
    expect(finished(ended).state).toBe('stopped');
    expect(ended.stdout).toContain('the workflow of the sweep is gone');
    const again = await run(spec, ...long(31)).ended;
    expect(again.code, again.stderr).toBe(0);
    expect(finished(again).state).toBe('done');
    await stopped(both);
  });
});

/** Where the cells of a sweep were measured, by context length. */
async function classesOf(sweep: string): Promise<Record<number, string>> {
  const rows = await query(
    databaseUrl,
    `SELECT m.context_tokens AS context, string_agg(DISTINCT x.device_class, ' ') AS classes
     FROM memberships m LEFT JOIN measurements x USING (cell_key) WHERE m.sweep_id = '${sweep}' GROUP BY m.context_tokens`,
  );
  return Object.fromEntries((rows as { context: number; classes: string }[]).map(({ context, classes }) => [context, classes]));
}

/** @param smallGiB of the sweep's own class; null: that of its node */
const twoClasses = (seed: number, smallGiB: number | null): string[] => [
  '--set', 'continualPretrainContextTokens=[null]', '--set', `tasks[0].seeds=[${String(seed)}]`, '--set', 'mixFingerprints=allow',
  '--set', `deviceClasses={small: {provider: cpu${smallGiB === null ? '' : `, memoryGiB: ${String(smallGiB)}`}}, large: {provider: cpu}}`,
  '--set', 'deviceClass=small', '--set', 'largerDeviceClass=large',
];
const hasPrlimit = spawnSync('prlimit', ['--version']).status === 0;

describe('a sweep with a larger device class', () => {
  it('has the cells there that its own class is foreseen not to hold, and says that it waits for a worker', async () => {
    const spec = writeSmallSweep(place.folder, 'foreseen');
    const settings = [...twoClasses(51, 0.122), '--set', 'contextTokens=[128,1024]'];
    const planned = await place.run(['plan', spec, '--json', ...settings], environment);
    const plan = JSON.parse(planned.stdout) as { cells: { new: number }; shards: { deviceClass: string; cells: number }[] };
    expect(plan.shards.filter(({ deviceClass }) => deviceClass === 'large').reduce((sum, { cells }) => sum + cells, 0)).toBe(plan.cells.new / 2);
    const small = worker('--control', '--slots', '1', '--class', 'small');
    const sweep = run(spec, ...settings);
    const notice = await waitFor('the notice', () => sweep.events().find((event) => String(event['message']).startsWith('waiting')), 60_000);
    expect(notice['message']).toContain('no worker polls ropesweep-evaluate-large');
    expect(measured(sweep)).toBe(plan.cells.new / 2);
    const why = await place.run(['why', 'foreseen'], environment);
    expect(why.stdout).toContain('no worker of class large is alive: start one with ropesweep worker --class large');
    const status = await place.run(['status', 'foreseen'], environment);
    expect(status.stdout).toContain('no worker of class large is alive: start one with ropesweep worker --class large');
    const large = worker('--slots', '1', '--class', 'large');
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(finished(ended)).toMatchObject({ state: 'done', cells: { measured: plan.cells.new, infeasible: 0 } });
    expect(await classesOf('foreseen')).toEqual({ 128: 'small', 1024: 'large' });
    await Promise.all([stopped(small), stopped(large)]);
  });

  it.skipIf(!hasPrlimit)('has the cells there that killed a slot for want of memory', async () => {
    const [small, large] = [worker('--control', '--slots', '1', '--class', 'small'), worker('--slots', '1', '--class', 'large')];
    // Its slot is there from the self-test, and the first shard gets it.
    await migrate(databaseUrl);
    for (let registered = 0; registered < 2; ) {
      await sleep(100);
      registered = (await query(databaseUrl, `SELECT FROM workers WHERE device_class IN ('small', 'large')`)).length;
    }
    const slot = String(descendants(small.pid).find(({ args }) => args.includes('slot.js'))?.pid);
    const usedBytes = 1024 * Number(/VmData:\s+(\d+) kB/.exec(readFileSync(`/proc/${slot}/status`, 'utf8'))?.[1]);
    // Keys and values of the long prompt take more than this beside what it uses now.
    execFileSync('prlimit', ['--pid', slot, `--data=${String(usedBytes + 8 * 2 ** 20)}`]);
    const sweep = run(writeSmallSweep(place.folder, 'tried'), ...twoClasses(61, null), '--set', 'contextTokens=[128,16384]', '--set', 'methods=[none]', '--set', 'tasks[0].depths=[0.5]');
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(finished(ended)).toMatchObject({ state: 'done', cells: { measured: 2, infeasible: 0, failed: 0 } });
    expect(await classesOf('tried')).toMatchObject({ 16384: 'large' });
    const outcomes = await query(
      databaseUrl,
      `SELECT DISTINCT m.context_tokens AS context, o.device_class, o.code FROM outcomes o JOIN memberships m USING (cell_key) WHERE m.sweep_id = 'tried' AND m.context_tokens = 16384`,
    );
    expect(outcomes).toEqual([{ context: 16384, device_class: 'small', code: 'OUT_OF_MEMORY' }]);
    await Promise.all([stopped(small), stopped(large)]);
  });
});
