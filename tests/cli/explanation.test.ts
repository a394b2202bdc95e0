import { describe, expect, it } from 'vitest';
import { explain, type Evidence } from '../../cli/explanation.js';
import type { ShardId, SweepId } from '../../domain/ids.js';
import type { StoreSituation } from '../../domain/ports.js';

const WORKER: StoreSituation['workers'][number] = { id: 'node/7', deviceClass: 'cpu', slots: 2, state: 'ready', reason: null, selfTest: 'passed', silentSeconds: 3, alive: true, shards: 0 };
const STATUS: StoreSituation['status'] = {
  sweep: 'demo' as SweepId,
  revision: 1,
  state: 'running',
  cells: { total: 10, planned: 6, measured: 4, diverged: 0, infeasible: 0, failed: 0 },
  runningCells: 0,
  shards: { planned: 3, leased: 0, done: 2, failed: 0, superseded: 0 },
  openClasses: ['cpu'],
  loads: 1,
  reason: null,
  concurrency: 4,
  priority: 3,
  createdAt: new Date(0),
  updatedAt: new Date(0),
};
const STORE: StoreSituation = { status: STATUS, workers: [WORKER], failures: [], triedAgainBy: [], rivals: [] };
const OPEN = ['a', 'b'] as unknown as readonly ShardId[];
const CONTROL = { state: 'running', concurrency: 4, priority: 3, maximumAttempts: 5, spent: null } as const;

function reasons(store: Partial<StoreSituation> = {}, temporal: Partial<NonNullable<Evidence['temporal']>> | null = {}): string[] {
  return explain({
    store: { ...STORE, ...store },
    temporal: temporal === null ? null : { running: true, sweep: { control: CONTROL, open: OPEN, canaries: [] }, shards: [], unattended: [], ...temporal },
    nowMs: 1_000_000,
  });
}

describe('why', () => {
  it.each<[string, string[], RegExp]>([
    ['nothing runs here', reasons({}, null), /nothing runs demo now/],
    ['it is paused', reasons({ status: { ...STATUS, state: 'paused' } }), /^it is paused: ropesweep resume demo/],
    ['no worker is registered', reasons({ workers: [] }), /no worker of class cpu is alive: start one/],
    ['nobody serves the larger class', reasons({ status: { ...STATUS, openClasses: ['cpu', 'large'] } }), /no worker of class large is alive: start one with ropesweep worker --class large/],
    ['no worker polls a queue', reasons({}, { unattended: ['ropesweep-control'] }), /no worker polls ropesweep-control/],
    ['the only worker is silent', reasons({ workers: [{ ...WORKER, alive: false, silentSeconds: 130 }] }), /worker node\/7 has been silent for 2 min 10 s/],
    ['a worker is set aside', reasons({ workers: [WORKER, { ...WORKER, id: 'node/8', state: 'aside', reason: 'it fails alone' }] }), /worker node\/8 is set aside: it fails alone/],
    ['a worker failed its self-test', reasons({ workers: [{ ...WORKER, selfTest: 'failed' }] }), /failed its self-test/],
    ['the budget is spent', reasons({}, { sweep: { control: { ...CONTROL, spent: 'the failure budget is spent: 9 of 10' }, open: [], canaries: [] } }), /the failure budget is spent/],
    ['canaries are out', reasons({}, { sweep: { control: CONTROL, open: OPEN, canaries: OPEN } }), /waits for its canaries/],
    ['a shard backs off', reasons({}, { shards: [{ shard: 'abcdef0123456789' as ShardId, phase: 'backing off', untilMs: 1_012_000, tried: 3, failure: { code: 'SLOT_CRASHED', reason: 'it died' } }] }), /shard abcdef012345 backs off for another 12 s after attempt 3: SLOT_CRASHED it died/],
    ['another sweep goes first', reasons({ rivals: [{ sweep: 'urgent' as SweepId, priority: 1, shards: 2 }] }), /2 shards wait behind urgent \(priority 1, 2 slots\)/],
    ['attempts failed', reasons({ failures: [{ code: 'WORKER_LOST', attempts: 4, reason: 'silence' }] }), /4 attempts failed in the last minutes with WORKER_LOST: silence/],
    ['its workflow is gone', reasons({}, { running: false, sweep: null }), /its workflow does not run/],
    ['Temporal does not answer', reasons({}, { running: null }), /the Temporal server does not answer/],
  ])('is said where %s', (_, said, expected) => {
    expect(said.join('\n')).toMatch(expected);
  });

  it('says how an ended sweep ended and what is left of it', () => {
    const said = reasons({ status: { ...STATUS, state: 'incomplete', reason: 'the failure budget is spent', cells: { ...STATUS.cells, failed: 2 } } });
    expect(said[0]).toBe('demo is incomplete: the failure budget is spent');
    expect(said.join('\n')).toContain('6 cells were not reached');
    expect(said.join('\n')).toContain('ropesweep retry demo');
  });

  it('says which other sweep tries its failed cells again', () => {
    const status = { ...STATUS, state: 'incomplete' as const, cells: { ...STATUS.cells, planned: 0, failed: 2 } };
    expect(reasons({ status, triedAgainBy: [{ sweep: 'other' as SweepId, cells: 2 }] }).at(-1)).toBe('other is to try 2 of the cells without numbers again');
  });

  it('says what works where all is well', () => {
    expect(reasons({ status: { ...STATUS, runningCells: 4, shards: { ...STATUS.shards, leased: 2 } } })).toEqual(['4 of 6 open cells are being evaluated by 2 slots of class cpu']);
  });
});
