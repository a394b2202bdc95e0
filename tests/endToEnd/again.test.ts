import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finished, measured, openPlace, processesOf, waitFor, type Place } from './command.js';
import { SMALL_CELLS, writeSmallSweep } from './smallSweep.js';

let place: Place;
let spec: string;
beforeAll(async () => {
  place = await openPlace();
  spec = writeSmallSweep(place.folder);
});
afterAll(() => place.remove());

describe('running a sweep', () => {
  it('plans everything as new where nothing was ever run, and starts nothing for it', async () => {
    const { code, stdout, stderr } = await place.run(['plan', spec, '--json']);
    expect(code, stderr).toBe(0);
    const plan = JSON.parse(stdout) as { cells: Record<string, number>; excluded: { reason: string }[] };
    expect(plan.cells).toEqual({ total: SMALL_CELLS, new: SMALL_CELLS, cached: 0, failed: 0, infeasible: 0, excluded: 12 });
    expect(plan.excluded[0]?.reason).toContain('none-256');
    expect(processesOf(place.folder)).toEqual([]);
  });

  it('is stopped by Ctrl-C with exit code 3, leaves nothing running, and keeps what is measured', async () => {
    const run = place.start(['run', spec, '--json', '--set', 'contextTokens=[128,256,512,4096]', '--slots', '1']);
    await waitFor('the first cells', () => measured(run) >= 1);
    run.child.kill('SIGINT');
    const ended = await run.ended;
    expect(ended.code, ended.stderr).toBe(3);
    expect(finished(ended).state).toBe('stopped');
    expect(processesOf(place.folder)).toEqual([]);
  });

  it('goes on afterwards, computing only what is left', async () => {
    const ended = await place.run(['run', spec, '--json']);
    expect(ended.code, ended.stderr).toBe(0);
    const { state, cells } = finished(ended);
    expect(state).toBe('done');
    expect(cells['cached']).toBeGreaterThanOrEqual(1);
    expect((cells['cached'] ?? 0) + (cells['measured'] ?? 0)).toBe(SMALL_CELLS);
  });

  it('computes nothing the second time, says so and exits 0', async () => {
    const { code, stdout } = await place.run(['run', spec]);
    expect(code).toBe(0);
    expect(stdout).toContain('all cells are known, nothing to compute');
    expect(stdout).toContain(`0 measured, ${String(SMALL_CELLS)} cached`);
    expect(stdout).toMatch(/report: .*small\.html/);
  });

  it('computes only the new cells of a longer context', async () => {
    const set = ['--set', 'contextTokens=[128,256,512,640]'];
    const planned = await place.run(['plan', spec, '--json', ...set]);
    expect((JSON.parse(planned.stdout) as { cells: unknown }).cells).toMatchObject({ total: 48, new: 12, cached: 36 });
    const ended = await place.run(['run', spec, '--json', ...set]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(finished(ended).cells).toMatchObject({ measured: 12, cached: 36 });
  });

  it('shows it in status and exports one row per cell', async () => {
    const status = await place.run(['status', '--json']);
    const [sweep] = JSON.parse(status.stdout) as { sweep: string; state: string; cells: { total: number; failed: number } }[];
    expect(sweep).toMatchObject({ sweep: 'small', state: 'done', cells: { failed: 0 } });
    // Cells of 4096 tokens that were measured before Ctrl-C stay members of the sweep.
    expect(sweep?.cells.total).toBeGreaterThanOrEqual(48);
    const { stdout } = await place.run(['export', 'small', '--format', 'csv']);
    expect(stdout.trim().split('\n')).toHaveLength((sweep?.cells.total ?? 0) + 1);
  });

  it('lets a second process attach to the same sweep, and a third run another sweep on the same servers', async () => {
    const other = writeSmallSweep(place.folder, 'other');
    const first = place.start(['run', spec, '--json', '--set', 'contextTokens=[1024,2048,3072]', '--slots', '1']);
    await waitFor('the first cells', () => measured(first) >= 1);
    const second = place.start(['run', spec, '--json', '--set', 'contextTokens=[1024,2048,3072]']);
    const beside = await place.run(['run', other, '--json']);
    expect(beside.code, beside.stderr).toBe(0);
    expect(beside.stdout).toContain(`"event":"attached","sweep":"other","pid":${String(first.pid)},"runs":"small"`);
    expect(finished(beside)).toMatchObject({ state: 'done', cells: { failed: 0 } });
    const [one, two] = await Promise.all([first.ended, second.ended]);
    expect(one.code, one.stderr).toBe(0);
    expect(two.code, two.stderr).toBe(0);
    expect(two.stdout).toContain('"event":"attached"');
    expect(finished(two).state).toBe('done');
    expect(processesOf(place.folder)).toEqual([]);
  });

  it('obeys Ctrl-C before the first cell too: exit code 3, nothing left running', async () => {
    for (const after of [300, 900, 1_800]) {
      const run = place.start(['run', spec, '--json', '--set', 'tasks[0].seeds=[71]']);
      await new Promise((resolve) => setTimeout(resolve, after));
      run.child.kill('SIGINT');
      const { code, stderr, stdout } = await run.ended;
      // Before its handlers stand, a process ends by the signal itself.
      if (code !== null) expect(code, `${after} ms: ${stderr}`).toBe(3);
      if (stdout.includes('finished')) expect(finished({ code, stderr, stdout }).state).toBe('stopped');
      expect(processesOf(place.folder), `${after} ms`).toEqual([]);
    }
  });

  it('stops in order when its reader goes away', async () => {
    const run = place.start(['run', spec, '--json', '--set', 'tasks[0].seeds=[72]', '--set', 'contextTokens=[2048,3072]']);
    await waitFor('the first cells', () => measured(run) >= 1);
    run.child.stdout?.destroy();
    expect((await run.ended).code).toBe(3);
    expect(processesOf(place.folder)).toEqual([]);
  });

  it('does not call a run done whose plan a smaller one replaced', async () => {
    const first = place.start(['run', spec, '--json', '--set', 'tasks[0].seeds=[81,82,83,84]', '--set', 'contextTokens=[1024,4096,6144,8192]', '--slots', '1']);
    await waitFor('the first cells', () => measured(first) >= 1);
    const smaller = await place.run(['run', spec, '--json', '--set', 'tasks[0].seeds=[81]', '--set', 'contextTokens=[1024]']);
    expect(smaller.code, smaller.stderr).toBe(0);
    const ended = await first.ended;
    expect(ended.code, ended.stderr).toBe(3);
    expect(finished(ended).state).toBe('incomplete');
    expect(ended.stdout).toContain('another revision replaced this plan');
  });

  it('survives attachers that submit again and again while results are written', async () => {
    const args = ['run', spec, '--json', '--set', 'tasks[0].seeds=[91,92,93,94,95,96]', '--set', 'contextTokens=[128,256,512,1024]'];
    const first = place.start(args);
    await waitFor('the first cells', () => measured(first) >= 1);
    const attached = await Promise.all([place.run(args), place.run(args), place.run(args)]);
    const owner = await first.ended;
    for (const { code, stderr } of [owner, ...attached]) expect(code, stderr).toBe(0);
    for (const ended of [owner, ...attached]) expect(finished(ended).state).toBe('done');
  });

  it('counts cells that two arms share in each of them', async () => {
    const shared = writeSmallSweep(place.folder, 'shared');
    const set = (...lengths: number[]) => ['--set', 'methods=[none,{name: dynamic-ntk, factor: 8}]', '--set', 'continualPretrainContextTokens=[null]', '--set', 'tasks[0].seeds=[61]', '--set', `contextTokens=[${String(lengths)}]`];
    const first = await place.run(['run', shared, '--json', ...set(96)]);
    expect(first.code, first.stderr).toBe(0);
    const cells = finished(first).cells['measured'] ?? 0;
    // Up to the trained context dynamic-ntk is plain RoPE.
    const second = await place.run(['run', shared, '--json', ...set(96, 512)]);
    expect(second.code, second.stderr).toBe(0);
    expect(finished(second)).toMatchObject({ state: 'done', cells: { measured: cells, cached: cells } });
  });
});
