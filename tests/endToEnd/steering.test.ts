import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepId } from '../../domain/ids.js';
import type { SweepStatus } from '../../domain/ports.js';
import { openStore } from '../../results/store.js';
import { databaseUrlOf } from '../chaos/witness.js';
import { openPlace, processesOf, waitFor, type Ended, type Place } from './command.js';
import { writeSmallSweep } from './smallSweep.js';

let place: Place;
beforeAll(async () => {
  place = await openPlace();
});
afterAll(() => place.remove());

/** 3 arms x 3 lengths x 2 depths x 28 seeds of up to 2048 tokens: long enough to be steered. */
const CELLS = 504;
const seeds = (from: number, count = 28): string[] => ['--set', 'contextTokens=[512,1024,2048]', '--set', `tasks[0].seeds=[${Array.from({ length: count }, (_, index) => String(from + index)).join(',')}]`];

async function json<Value>(...args: string[]): Promise<Value> {
  const { code, stdout, stderr } = await place.run([...args, '--json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Value;
}
const status = (sweep: string): Promise<SweepStatus> => json<SweepStatus>('status', sweep);

/** Looks into the store of the stack that is up: a command for every look would take the processor from what is waited for. */
async function until(what: string, sweep: string, holds: (status: SweepStatus) => boolean): Promise<SweepStatus> {
  const store = await openStore(databaseUrlOf(place.home));
  try {
    for (const limit = Date.now() + 120_000; Date.now() < limit; ) {
      const now = await store.status(sweep as SweepId);
      if (now !== null && holds(now)) return now;
      await sleep(100);
    }
  } finally {
    await store.close();
  }
  throw new Error(`waited in vain for ${what} of ${sweep}: ${JSON.stringify(await status(sweep))}`);
}

const submit = async (name: string, from: number, count?: number): Promise<void> => {
  const { code, stderr } = await place.run(['run', writeSmallSweep(place.folder, name), '--detach', ...seeds(from, count)]);
  expect(code, stderr).toBe(0);
};

const refused = ({ code, stderr }: Ended, expected: string): void => {
  expect(code).toBe(2);
  expect(stderr).toContain(expected);
};

describe('without a stack that stays', () => {
  it('a detached run is refused with what to do, and taking down says that nothing is up', async () => {
    refused(await place.run(['run', writeSmallSweep(place.folder), '--detach']), 'ropesweep up');
    expect(await json('down')).toEqual({ pid: null });
    expect(processesOf(place.folder)).toEqual([]);
  });

  it('verbs on a sweep that nobody submitted are refused', async () => {
    for (const verb of ['pause', 'resume', 'stop', 'cancel', 'why', 'retry', 'delete']) refused(await place.run([verb, 'nobody']), verb === 'resume' ? 'nothing runs here' : 'nobody');
    refused(await place.run(['set', 'nobody']), 'Give --concurrency N or --priority N');
    refused(await place.run(['set', 'nobody', '--priority', '9']), 'Use 1 to 5');
  });
});

describe('on a stack that is up', () => {
  it('comes up once, with a worker', async () => {
    const first = await json<{ pid: number; deviceClass: string }>('up', '--slots', '2');
    expect(first.deviceClass).toBe('cpu');
    expect((await json<{ pid: number }>('up')).pid).toBe(first.pid);
  });

  it('a paused sweep starts nothing and says so, and goes on when it is resumed', async () => {
    await submit('steered', 100);
    await until('the first cells', 'steered', ({ cells }) => cells.measured > 0);
    expect(await json('pause', 'steered')).toMatchObject({ before: 'running', after: 'paused' });
    expect(await json('pause', 'steered')).toMatchObject({ before: 'paused', after: 'paused' });
    const { cells } = await until('the end of what is in flight', 'steered', ({ runningCells }) => runningCells === 0);
    expect(cells.measured).toBeLessThan(CELLS);
    expect((await place.run(['why', 'steered'])).stdout).toMatch(/^it is paused: ropesweep resume steered goes on/);
    expect((await status('steered')).cells.measured).toBe(cells.measured);
    expect(await json('set', 'steered', '--concurrency', '3', '--priority', '2')).toMatchObject({ concurrency: 3, priority: 2 });
    expect(await json('resume', 'steered')).toMatchObject({ before: 'paused', after: 'running' });
    await until('more cells', 'steered', (now) => now.cells.measured > cells.measured);
  }, 240_000);

  it('a stopped sweep ends when what is in flight has ended; resumed, it goes on beside another of lower priority and ends done', async () => {
    expect(await json('stop', 'steered')).toMatchObject({ after: 'stopping' });
    const stopped = await until('the stop', 'steered', ({ state }) => state === 'stopped');
    expect(stopped.runningCells).toBe(0);
    expect(stopped.cells.planned).toBeGreaterThan(0);
    expect(await json('stop', 'steered')).toMatchObject({ before: 'stopped', after: 'stopped' });
    refused(await place.run(['pause', 'steered']), 'it is stopped, so it cannot be paused');
    await submit('beside', 200, 14);
    expect(await json('set', 'beside', '--priority', '5')).toMatchObject({ priority: 5 });
    expect(await json('resume', 'steered')).toMatchObject({ before: 'stopped', after: 'running' });
    expect((await until('the end', 'steered', ({ state }) => state === 'done')).cells).toMatchObject({ measured: CELLS, planned: 0 });
  }, 240_000);

  it('a cancelled sweep keeps what is measured, and is deleted without what was measured', async () => {
    await submit('cancelled', 400);
    await until('the first cells', 'cancelled', ({ cells }) => cells.measured > 0);
    refused(await place.run(['delete', 'cancelled']), 'Cancel it first');
    expect(await json('cancel', 'cancelled')).toMatchObject({ after: 'cancelling' });
    const { cells } = await until('the cancel', 'cancelled', ({ state }) => state === 'cancelled');
    expect(cells.planned).toBeGreaterThan(0);
    expect(await json('delete', 'cancelled')).toMatchObject({ cells: CELLS });
    refused(await place.run(['status', 'cancelled']), 'no sweep of that name');
    const plan = await json<{ cells: { cached: number } }>('plan', writeSmallSweep(place.folder, 'cancelled'), ...seeds(400));
    expect(plan.cells.cached).toBe(cells.measured);

    const measurementsPruned = { what: 'measurements of cells that no sweep has', rows: cells.measured };
    const { tables } = await json<{ tables: { table: string; rows: number }[] }>('db', 'size');
    expect(tables.find(({ table }) => table === 'measurements')?.rows).toBeGreaterThanOrEqual(CELLS + cells.measured);
    expect((await place.run(['db', 'size'])).stdout).toMatch(/steered +│ +504 /);
    expect(await json('db', 'prune')).toMatchObject({ removed: false, kinds: expect.arrayContaining([expect.objectContaining(measurementsPruned)]) as unknown });
    expect(await json('db', 'prune', '--yes')).toMatchObject({ removed: true, kinds: expect.arrayContaining([expect.objectContaining(measurementsPruned)]) as unknown });
    expect(await json('plan', writeSmallSweep(place.folder, 'cancelled'), ...seeds(400))).toMatchObject({ cells: { cached: 0 } });
    expect((await status('steered')).cells.measured).toBe(CELLS);
    expect((await place.run(['db', 'prune'])).stdout).toContain('nothing to remove');
  }, 240_000);

  it('taking it down ends a run that used it, keeps what is measured and leaves nothing running', async () => {
    const run = place.start(['run', writeSmallSweep(place.folder, 'down'), '--json', ...seeds(300)]);
    await waitFor('progress', () => run.events().some((event) => event['event'] === 'progress' && (event['cells'] as { measured: number }).measured > 0));
    expect(await json<{ pid: number | null }>('down')).toMatchObject({ pid: expect.any(Number) as number });
    const { code, stdout } = await run.ended;
    expect(code).toBe(3);
    expect(stdout).toContain('the stack was taken down');
    await waitFor('the end of everything', () => processesOf(place.folder).length === 0);
    expect((await status('down')).state).toBe('stopped');
  }, 240_000);
});
