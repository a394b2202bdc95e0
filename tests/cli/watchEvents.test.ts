import { describe, expect, it } from 'vitest';
import { sweepLine } from '../../cli/live/displays.js';
import { Changes, type LiveEvent } from '../../cli/live/events.js';
import { keysIn } from '../../cli/live/screen.js';
import { id, type ShardId, type SweepId } from '../../domain/ids.js';
import type { ShardState } from '../../domain/states.js';
import { fixtureCells, fixtureDetail, fixtureFrame, fixtureShard, fixtureSweep, fixtureWorker } from './liveFixture.js';

const names = (events: readonly LiveEvent[]): string[] => events.map(({ event }) => event);
const none = new Map<ShardId, ShardState>();

describe('events', () => {
  it('tell everything at the first frame and nothing at an equal one', () => {
    const changes = new Changes();
    const first = changes.events(fixtureFrame(), none);
    expect(new Set(names(first))).toEqual(new Set(['worker', 'shard', 'arm', 'failure', 'sweep']));
    expect(first.at(-1)).toMatchObject({ event: 'sweep', sweep: 'demo', state: 'running', share: 0.25, flops: { done: 25e12, total: 100e12 }, shards: { leased: 2 }, recoveries: 1 });
    expect(first.at(-1)).toHaveProperty('eta.seconds', 750);
    expect(changes.events(fixtureFrame(), none)).toEqual([]);
  });

  it('tell a shard when it begins, when it is tried again, and how it ended', () => {
    const changes = new Changes();
    const frame = (...running: ReturnType<typeof fixtureShard>[]) => fixtureFrame({ detail: fixtureDetail({ running }) });
    const shards = (events: readonly LiveEvent[]) => events.flatMap((event) => (event.event === 'shard' ? [[event.shard, event.state, event.attempt, event.cells.done]] : []));
    expect(shards(changes.events(frame(fixtureShard('a'), fixtureShard('b')), none))).toEqual([['a', 'running', 1, 7], ['b', 'running', 1, 7]]);
    expect(shards(changes.events(frame(fixtureShard('a', { attempt: 2 }), fixtureShard('b', { endedCells: 9 })), none))).toEqual([['a', 'running', 2, 7]]);
    expect(changes.vanished(frame())).toEqual(['a', 'b']);
    expect(shards(changes.events(frame(), new Map<ShardId, ShardState>([[id<ShardId>('a'), 'done'], [id<ShardId>('b'), 'planned']])))).toEqual([['a', 'done', 2, 20], ['b', 'planned', 1, 9]]);
  });

  it('tell nothing of shards that are no longer looked at because another sweep is shown', () => {
    const changes = new Changes();
    changes.events(fixtureFrame(), none);
    const other = fixtureFrame({ detail: fixtureDetail({ sweep: id<SweepId>('other'), running: [] }) });
    expect(changes.vanished(other)).toEqual([]);
    expect(names(changes.events(other, none))).not.toContain('shard');
  });

  it('tell when a worker falls silent and when it is gone', () => {
    const changes = new Changes();
    changes.events(fixtureFrame({ workers: [fixtureWorker('w')] }), none);
    expect(changes.events(fixtureFrame({ workers: [fixtureWorker('w', { heartbeatSeconds: 9 })] }), none)).toEqual([]);
    expect(changes.events(fixtureFrame({ workers: [fixtureWorker('w', { state: 'silent', heartbeatSeconds: 31 })] }), none)).toMatchObject([{ event: 'worker', worker: 'w', state: 'silent' }]);
    expect(changes.events(fixtureFrame({ workers: [] }), none)).toMatchObject([{ event: 'worker', worker: 'w', state: 'gone' }]);
  });

  it('tell the end of every sweep that was seen running, and of none that had ended before', () => {
    const changes = new Changes();
    const detail = fixtureDetail();
    const frame = (state: 'running' | 'done') => fixtureFrame({ detail, sweeps: [detail, fixtureSweep('other', { state, ...(state === 'done' ? { work: null, cells: fixtureCells(600, 600) } : {}) }), fixtureSweep('old', { state: 'done', work: null })] });
    changes.events(frame('running'), none);
    expect(changes.events(frame('done'), none)).toMatchObject([{ event: 'sweep', sweep: 'other', state: 'done', share: 1, shards: null }]);
  });

  it('say once why nothing new is seen', () => {
    const changes = new Changes();
    const stale = fixtureFrame({}, { view: null, stale: 'nothing runs here' });
    expect(changes.events(stale, none)).toEqual([{ event: 'notice', message: 'nothing runs here' }]);
    expect(changes.events(stale, none)).toEqual([]);
  });
});

describe('the line of a sweep', () => {
  it('tells state, progress by cost, rates, time left and what has no numbers', () => {
    const frame = fixtureFrame();
    const detail = fixtureDetail();
    expect(sweepLine(detail, frame.rates.get(detail.sweep))).toBe('demo: running, 25 % of cost, 270/600 cells, 2 shards running, 0 cells/s, 8.00 ktokens/s, 100 GFLOP/s, ETA 12 min 30 s (10 min 0 s to 15 min 38 s), 1 recovery, 3 failed');
  });
});

describe('keys', () => {
  it('are told apart where several come at once, and what is no key is nothing', () => {
    expect(keysIn('\u001b[A\u001b[B?')).toEqual(['previous', 'next', 'help']);
    expect(keysIn('\t\u001b[Z\u0003')).toEqual(['next', 'previous', 'quit']);
    expect(keysIn('xyz\u001b[5~\u001b')).toEqual([]);
  });
});
