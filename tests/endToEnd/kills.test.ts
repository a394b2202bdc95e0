import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../infra/packageRoot.js';
import { descendants, finished, kill, measured, openPlace, processesOf, waitFor, type Place, type RunningCommand } from './command.js';

const DEMO = packageFile('sweeps', 'demo.yaml');
const CELLS = 600;

let undisturbed: Place;
let disturbed: Place;
beforeAll(async () => {
  [undisturbed, disturbed] = await Promise.all([openPlace(), openPlace()]);
});
afterAll(() => {
  undisturbed.remove();
  disturbed.remove();
});

const rowsOf = async (place: Place): Promise<string> => {
  const { code, stdout, stderr } = await place.run(['export', 'demo', '--format', 'csv', '--results-only']);
  expect(code, stderr).toBe(0);
  return stdout;
};

/** Kills one process of a running command that looks like this, once so many cells are measured. */
async function killAfter(run: RunningCommand, cells: number, what: string, looks: RegExp): Promise<void> {
  await waitFor(`${String(cells)} cells`, () => measured(run) >= cells, 120_000);
  const victim = await waitFor(what, () => descendants(run.pid).find((row) => looks.test(row.args)), 30_000);
  kill(victim.pid);
  console.log(`killed ${what} (pid ${String(victim.pid)}) at ${String(measured(run))} cells`);
}

describe('kill -9 in the middle of the demo', () => {
  it('of a slot, the Temporal server and PostgreSQL is survived within the run; of the command, by running it again; and the rows are those of an undisturbed run, none twice', async () => {
    const calm = await undisturbed.run(['run', DEMO, '--json']);
    expect(calm.code, calm.stderr).toBe(0);
    expect(finished(calm)).toMatchObject({ state: 'done', cells: { measured: CELLS, cached: 0, failed: 0 } });

    const first = disturbed.start(['run', DEMO, '--json', '--slots', '2']);
    await killAfter(first, 10, 'a slot', /worker\/slot\.js/);
    await killAfter(first, 80, 'the Temporal server', /temporal server start-dev/);
    await killAfter(first, 160, 'PostgreSQL', /postgres -D /);
    await waitFor('260 cells', () => measured(first) >= 260, 120_000);
    const before = measured(first);
    kill(first.pid);
    await first.ended;
    // Nothing the command started outlives it: the guardian stops the servers, the worker ends with its channel.
    await waitFor('the end of everything it started', () => processesOf(disturbed.folder).length === 0, 60_000);

    const second = await disturbed.run(['run', DEMO, '--json']);
    expect(second.code, second.stderr).toBe(0);
    const end = finished(second);
    expect(end.state).toBe('done');
    expect(end.revision).toBe(1);
    expect(end.cells['cached']).toBeGreaterThanOrEqual(before);
    expect((end.cells['measured'] ?? 0) + (end.cells['cached'] ?? 0)).toBe(CELLS);

    const [calmRows, disturbedRows] = [await rowsOf(undisturbed), await rowsOf(disturbed)];
    expect(disturbedRows).toBe(calmRows);
    const keys = disturbedRows.trim().split('\n').slice(1);
    expect(keys).toHaveLength(CELLS);
    expect(new Set(keys).size).toBe(CELLS);
  }, 400_000);
});
