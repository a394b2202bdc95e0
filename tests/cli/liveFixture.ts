/** FIXTURES. A frame made up for tests of what watch shows: measured by nothing. */
import type { Frame } from '../../cli/live/frame.js';
import { RateMeter } from '../../cli/live/rates.js';
import { id, type ArmId, type ShardId, type SweepId } from '../../domain/ids.js';
import type { LiveArm, LiveDetail, LiveShard, LiveSweep, LiveView, LiveWork, LiveWorker } from '../../domain/live.js';
import type { CellProgress } from '../../domain/ports.js';

export const AT = new Date('2026-11-27T12:00:00Z');
const secondsBefore = (seconds: number): Date => new Date(AT.getTime() - seconds * 1000);

export const fixtureCells = (total: number, ended: number, failed = 0): CellProgress => ({ total, planned: total - ended, measured: ended - failed, diverged: 0, infeasible: 0, failed });

export const fixtureWork = (changes: Partial<LiveWork> = {}): LiveWork => ({
  flops: 100e12,
  doneFlops: 25e12,
  tokens: 40e6,
  doneTokens: 20e6,
  shards: { planned: 30, leased: 2, done: 28, failed: 0, superseded: 0 },
  recoveries: 0,
  longestFlops: 2e12,
  speed: { shards: 28, flopsPerSecond: 50e9, slowFlopsPerSecond: 40e9, fastFlopsPerSecond: 62.5e9, tokensPerSecond: 4_000 },
  ...changes,
});

export const fixtureSweep = (name: string, changes: Partial<LiveSweep> = {}): LiveSweep => ({
  sweep: id<SweepId>(name),
  revision: 1,
  state: 'running',
  reason: null,
  concurrency: 16,
  priority: 3,
  cells: fixtureCells(600, 270),
  work: fixtureWork(),
  createdAt: secondsBefore(4_000),
  updatedAt: secondsBefore(720),
  ...changes,
});

export const fixtureArm = (label: string, changes: Partial<LiveArm> = {}): LiveArm => ({
  arm: id<ArmId>(label),
  label,
  cells: fixtureCells(60, 27),
  flops: 10e12,
  doneFlops: 2.5e12,
  tokens: 4e6,
  doneTokens: 2e6,
  runningShards: 0,
  ...changes,
});

export const fixtureShard = (name: string, changes: Partial<LiveShard> = {}): LiveShard => ({
  shard: id<ShardId>(name),
  armLabel: 'yarn 8, continued at 1024',
  shortestContextTokens: 512,
  longestContextTokens: 4096,
  cells: 20,
  endedCells: 7,
  worker: 'node-1/4711',
  since: secondsBefore(12),
  seconds: 12,
  attempt: 1,
  before: null,
  flops: 2e12,
  doneFlops: 0.7e12,
  tokens: 80_000,
  doneTokens: 28_000,
  ...changes,
});

export const fixtureWorker = (name: string, changes: Partial<LiveWorker> = {}): LiveWorker => ({
  id: name,
  host: 'node-1',
  deviceClass: 'cpu',
  slots: 2,
  busySlots: 2,
  state: 'ready',
  reason: null,
  loaded: ['yarn-1024'],
  heartbeatSeconds: 3.2,
  startedAt: secondsBefore(720),
  ...changes,
});

const METHODS = ['none', 'pi 8', 'ntk 8', 'yarn 8'];

/** Ten arms, two shards running (one recovered), one worker lost, two kinds of failures. */
export const fixtureDetail = (changes: Partial<LiveDetail> = {}): LiveDetail => ({
  ...fixtureSweep('demo', { cells: fixtureCells(600, 270, 3), work: null }),
  work: fixtureWork({ recoveries: 1 }),
  arms: METHODS.flatMap((method) => (method === 'none' ? [''] : ['', ', continued at 256', ', continued at 1024']).map((suffix) => fixtureArm(method + suffix, { runningShards: method === 'yarn 8' && suffix === '' ? 2 : 0 }))),
  running: [fixtureShard('one', { attempt: 2, before: 'SLOT_CRASHED' }), fixtureShard('two', { armLabel: 'yarn 8', shortestContextTokens: 4096 })],
  failures: [
    { state: 'failed', code: 'SLOT_CRASHED', cells: 2, reason: 'the slot was killed by SIGSEGV\u001b[2J\nafter 5 attempts', armLabel: 'pi 8', contextTokens: 4096, at: secondsBefore(60) },
    { state: 'infeasible', code: 'OUT_OF_MEMORY', cells: 1, reason: '23.1 GiB of 16.0 GiB', armLabel: 'none', contextTokens: 131_072, at: secondsBefore(90) },
  ],
  ...changes,
});

export function fixtureFrame(changes: Partial<LiveView> = {}, frame: Partial<Frame> = {}): Frame {
  const detail = fixtureDetail();
  const view: LiveView = { at: AT, sweeps: [{ ...detail }], detail, workers: [fixtureWorker('node-1/4711'), fixtureWorker('node-2/9', { host: 'node-2', state: 'silent', busySlots: 0, heartbeatSeconds: 95 })], ...changes };
  const meter = new RateMeter();
  return {
    view,
    rates: new Map(view.sweeps.flatMap((row) => (row.work === null ? [] : [[row.sweep, meter.measure(row, row.work, AT)] as const]))),
    recalls: new Map([[id<ArmId>('none'), 0.4], [id<ArmId>('yarn 8'), 1]]),
    source: 'stack of process 4242',
    stale: null,
    ...frame,
  };
}
