import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kill, measured, openPlace, processesOf, waitFor, type Place, type RunningCommand } from './command.js';
import { writeSmallSweep } from './smallSweep.js';

let place: Place;
let spec: string;
beforeAll(async () => {
  place = await openPlace();
  spec = writeSmallSweep(place.folder);
});
afterAll(() => place.remove());

const eventsOf = (command: RunningCommand, name: string) => command.events().filter(({ event }) => event === name);

describe('watching a sweep', () => {
  it('says that nothing runs where nothing ever did, and knows no sweep there', async () => {
    const all = await place.run(['watch']);
    expect([all.code, all.stdout]).toEqual([0, 'nothing runs here: no sweep was ever run\n']);
    const one = await place.run(['watch', 'small', '--json']);
    expect(one.code).toBe(2);
    expect(one.stderr).toContain('SWEEP_UNKNOWN');
    const often = await place.run(['watch', '--interval', '0']);
    expect([often.code, often.stderr.includes('--interval')]).toEqual([2, true]);
  });

  it('tells its events beside the run, from the start to the end, and ends with its exit code', async () => {
    const run = place.start(['run', spec, '--json', '--slots', '1', '--set', 'contextTokens=[128,256,512,1024]']);
    await waitFor('the run to be submitted', () => eventsOf(run, 'started').length > 0);
    const watch = place.start(['watch', 'small', '--json', '--interval', '0.2']);
    const lines = place.start(['watch', 'small']);
    const [ran, watched, plain] = await Promise.all([run.ended, watch.ended, lines.ended]);
    expect(ran.code, ran.stderr).toBe(0);
    expect([watched.code, watched.stderr]).toEqual([0, '']);
    expect(watch.events().at(-1)).toMatchObject({ event: 'sweep', sweep: 'small', state: 'done', share: 1, cells: { planned: 0, measured: 48 }, eta: null });
    expect(eventsOf(watch, 'sweep')[0]).toMatchObject({ state: 'running' });
    const shares = eventsOf(watch, 'sweep').map(({ share }) => Number(share));
    expect([...shares].sort((a, b) => a - b)).toEqual(shares);
    expect(eventsOf(watch, 'worker')[0]).toMatchObject({ state: 'ready', slots: 1, deviceClass: 'cpu' });
    expect(eventsOf(watch, 'shard').some(({ state }) => state === 'running')).toBe(true);
    const lastOf = new Map(eventsOf(watch, 'arm').map((event) => [event['arm'], event]));
    expect(lastOf.size).toBe(3);
    for (const arm of lastOf.values()) expect(arm).toMatchObject({ cells: { total: 16, planned: 0 }, recall: expect.any(Number) as number });
    expect(plain.code, plain.stderr).toBe(0);
    expect(plain.stdout).toMatch(/^small: running, \d+ % of cost, \d+\/48 cells/m);
    expect(plain.stdout).toMatch(/^small: done, 100 % of cost, 48\/48 cells/m);
    expect(processesOf(place.folder)).toEqual([]);
  });

  it('shows how a sweep ended when nothing runs any more, and starts nothing that stays', async () => {
    const { code, stdout } = await place.run(['watch', 'small']);
    expect(code).toBe(0);
    expect(stdout).toContain('small: done, 100 % of cost, 48/48 cells');
    const all = await place.run(['watch', '--json']);
    expect(all.code).toBe(0);
    expect(all.stdout).toContain('"event":"sweep"');
    expect(processesOf(place.folder)).toEqual([]);
  });

  it('does not keep a run from ending, and ends with 3 when the sweep is stopped', async () => {
    const run = place.start(['run', spec, '--json', '--slots', '1', '--set', 'contextTokens=[2048,3072,4096]']);
    await waitFor('the first cells', () => measured(run) >= 1);
    const watch = place.start(['watch', '--json', '--interval', '0.2']);
    await waitFor('a first look', () => eventsOf(watch, 'sweep').length > 0);
    run.child.kill('SIGINT');
    const [ran, watched] = await Promise.all([run.ended, watch.ended]);
    expect(ran.code).toBe(3);
    expect(watched.code, watched.stderr).toBe(3);
    expect(eventsOf(watch, 'sweep').at(-1)).toMatchObject({ state: 'stopped' });
    expect(ran.stderr).not.toContain('although another command still uses them');
  });

  it('ends with 3 when the command that ran the stack is killed, and says why', async () => {
    const run = place.start(['run', spec, '--json', '--slots', '1', '--set', 'contextTokens=[2048,3072,4096]', '--set', 'continualPretrainContextTokens=[null,256]']);
    await waitFor('the run to be submitted', () => eventsOf(run, 'started').length > 0);
    const watch = place.start(['watch', 'small', '--json', '--interval', '0.2']);
    await waitFor('a first look', () => eventsOf(watch, 'sweep').length > 0);
    kill(run.pid);
    const watched = await watch.ended;
    expect(watched.code, watched.stderr).toBe(3);
    expect(eventsOf(watch, 'notice').map(({ message }) => String(message)).join('\n')).toMatch(/the command that ran the stack has ended/);
  });

  it('leaves with 3 when it is told to before the end', async () => {
    const run = place.start(['run', spec, '--json', '--slots', '1', '--set', 'contextTokens=[2048,3072,4096]', '--set', 'tasks[0].seeds=[7,8]']);
    await waitFor('the run to be submitted', () => eventsOf(run, 'started').length > 0);
    const watch = place.start(['watch', 'small', '--json', '--interval', '60']);
    await waitFor('a first look', () => eventsOf(watch, 'sweep').length > 0);
    watch.child.kill('SIGTERM');
    expect((await watch.ended).code).toBe(3);
    run.child.kill('SIGINT');
    expect((await run.ended).code).toBe(3);
  });
});
