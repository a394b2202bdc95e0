import { describe, expect, it } from 'vitest';
import { doneShare, eta, RateMeter } from '../../cli/live/rates.js';
import { fixtureCells, fixtureSweep, fixtureWork } from './liveFixture.js';

const SPEED = { shards: 20, flopsPerSecond: 100, slowFlopsPerSecond: 50, fastFlopsPerSecond: 200, tokensPerSecond: 10 };

describe('the time left', () => {
  it('is what is left of the cost over the speed of the slots at work, with the spread of the latest shards', () => {
    const work = fixtureWork({ flops: 10_000, doneFlops: 2_000, longestFlops: 100, speed: SPEED });
    expect(eta(work, 4)).toEqual({ seconds: 20, earliestSeconds: 10, latestSeconds: 40 });
  });

  it('is not a matter of how many cells are left', () => {
    const few = new RateMeter().measure(fixtureSweep('few', { cells: fixtureCells(600, 590) }), fixtureWork(), new Date(0));
    const many = new RateMeter().measure(fixtureSweep('many', { cells: fixtureCells(600, 10) }), fixtureWork(), new Date(0));
    expect(few.eta).toEqual(many.eta);
  });

  it('is never shorter than the longest shard that is left takes one slot', () => {
    const work = fixtureWork({ flops: 10_000, doneFlops: 9_000, longestFlops: 1_000, speed: SPEED });
    expect(eta(work, 16)?.seconds).toBe(10);
  });

  it('is unknown until a shard was evaluated, and while nobody works', () => {
    expect(eta(fixtureWork({ speed: null }), 2)).toBeNull();
    expect(eta(fixtureWork(), 0)).toBeNull();
  });

  it('follows at once when workers come', () => {
    const meter = new RateMeter();
    const at = (seconds: number, leased: number) =>
      meter.measure(fixtureSweep('demo'), fixtureWork({ shards: { planned: 30, leased, done: 28, failed: 0, superseded: 0 } }), new Date(1000 * seconds)).eta?.seconds ?? 0;
    const before = at(0, 2);
    for (let second = 1; second <= 20; second += 1) at(second, 8);
    expect(at(21, 8)).toBeCloseTo(before / 4, 5);
  });
});

describe('cells per second', () => {
  const measure = (meter: RateMeter, seconds: number, ended: number) => meter.measure(fixtureSweep('demo', { cells: fixtureCells(10_000, ended) }), fixtureWork(), new Date(1000 * seconds)).cellsPerSecond;

  it('leave the wait for the first cell out', () => {
    const meter = new RateMeter();
    for (let second = 0; second <= 20; second += 1) expect(measure(meter, second, 0)).toBe(0);
    expect(measure(meter, 21, 30)).toBe(30);
  });

  it('are those of the last minute, and none once it is quiet', () => {
    const meter = new RateMeter();
    for (let second = 0; second <= 100; second += 1) measure(meter, second, second);
    for (let second = 101; second <= 200; second += 1) measure(meter, second, 100 + 10 * (second - 100));
    expect(measure(meter, 201, 1110)).toBeCloseTo(10, 5);
    for (let second = 202; second <= 300; second += 1) measure(meter, second, 1110);
    expect(measure(meter, 301, 1110)).toBe(0);
  });

  it('do not fall below zero when a smaller revision takes cells out', () => {
    const meter = new RateMeter();
    measure(meter, 0, 100);
    expect(measure(meter, 1, 40)).toBe(0);
  });
});

describe('the share that is done', () => {
  it('is of the cost, of the cells where no shard was planned, and whole where nothing is left', () => {
    expect(doneShare(fixtureSweep('demo'), fixtureWork())).toBe(0.25);
    expect(doneShare(fixtureSweep('demo'), fixtureWork({ flops: 0, doneFlops: 0 }))).toBe(0.45);
    expect(doneShare(fixtureSweep('demo', { cells: fixtureCells(5, 5) }), fixtureWork())).toBe(1);
    expect(doneShare(fixtureSweep('empty', { cells: fixtureCells(0, 0) }), null)).toBe(1);
  });
});
