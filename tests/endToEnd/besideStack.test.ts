/** A worker of another class beside the stack of this machine: it needs to be told of no server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finished, openPlace, waitFor, type Place } from './command.js';
import { writeSmallSweep } from './smallSweep.js';

let place: Place;
beforeAll(async () => {
  place = await openPlace();
});
afterAll(() => place.remove());

describe('a worker without configured servers', () => {
  it('is refused where no stack runs, with what to do', async () => {
    const { code, stderr } = await place.run(['worker', '--class', 'large']);
    expect(code).toBe(2);
    expect(stderr).toContain(`no stack runs in ${place.home}`);
    expect(stderr).toContain('ropesweep up');
  });

  it('evaluates beside ropesweep up what only its larger class holds, and ends with the stack', async () => {
    const up = await place.run(['up', '--slots', '1', '--class', 'small']);
    expect(up.code, up.stderr).toBe(0);
    const settings = [
      '--set', 'continualPretrainContextTokens=[null]', '--set', 'contextTokens=[128,1024]', '--set', 'mixFingerprints=allow', '--set', 'deviceClass=small',
      '--set', 'largerDeviceClass=large', '--set', 'deviceClasses={small: {provider: cpu, memoryGiB: 0.122}, large: {provider: cpu}}',
    ]; // prettier-ignore
    const sweep = place.start(['run', writeSmallSweep(place.folder, 'beside'), '--json', ...settings]);
    await waitFor('the notice', () => sweep.events().find((event) => String(event['message']).includes('no worker polls ropesweep-evaluate-large')));
    const worker = place.start(['worker', '--slots', '1', '--class', 'large']);
    const ended = await sweep.ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(finished(ended)).toMatchObject({ state: 'done', cells: { infeasible: 0, failed: 0 } });
    expect(worker.child.exitCode).toBeNull();
    const down = await place.run(['down']);
    expect(down.code, down.stderr).toBe(0);
    const left = await worker.ended;
    expect(left.code, left.stderr).toBe(0);
    expect(left.stderr).toContain('the stack that this worker works for is being taken down');
  });
});
