import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ShardId, SweepId } from '../../domain/ids.js';
import { shardWorkflowId, sweepWorkflowId } from '../../domain/orchestration.js';
import { Backlog, fails, openBench, untilCancelled, type Bench } from './bench.js';

const succeeds = () => Promise.resolve();
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

let bench: Bench;
beforeAll(async () => (bench = await openBench()));
afterAll(() => bench.close());

async function waitFor(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries += 1) {
    if (tries > 200) throw new Error('waited 20 s in vain');
    await pause(100);
  }
}

describe('a sweep', () => {
  it('ends at once, done, when there is nothing to start', async () => {
    const backlog = new Backlog(0, () => succeeds);
    expect(await bench.withWorker(backlog, () => bench.start('empty'))).toEqual({ state: 'done' });
  });

  it('evaluates every shard exactly once and never opens more than its window', async () => {
    const backlog = new Backlog(30, () => () => pause(20));
    expect(await bench.withWorker(backlog, () => bench.start('window', { concurrency: 4 }))).toEqual({ state: 'done' });
    expect([...backlog.done].sort()).toEqual(Array.from({ length: 30 }, (_, index) => `shard-${String(index).padStart(4, '0')}`));
    expect([...backlog.attempts.values()].every((count) => count === 1)).toBe(true);
    expect(backlog.mostInFlight).toBeLessThanOrEqual(4);
    expect(backlog.mostInFlight).toBeGreaterThan(1);
  });

  it('tries a crashed slot again and ends done', async () => {
    const backlog = new Backlog(3, (shard) => (attempt) => (shard.endsWith('1') && attempt < 3 ? fails('SLOT_CRASHED') : succeeds()));
    expect(await bench.withWorker(backlog, () => bench.start('crash'))).toEqual({ state: 'done' });
    expect(backlog.attempts.get('shard-0001' as ShardId)).toBe(3);
  });

  it('quarantines a shard after its attempts, finishes the rest and ends incomplete', async () => {
    const backlog = new Backlog(5, (shard) => () => (shard.endsWith('2') ? fails('SLOT_CRASHED') : succeeds()));
    expect(await bench.withWorker(backlog, () => bench.start('poison', { maximumAttempts: 2 }))).toEqual({ state: 'incomplete' });
    expect(backlog.failed).toEqual(new Map([['shard-0002', { code: 'SLOT_CRASHED', attempts: 2 }]]));
    expect(backlog.done).toHaveLength(4);
  });

  it('quarantines bad input at once', async () => {
    const backlog = new Backlog(1, () => () => fails('WEIGHTS_MISMATCH', true));
    expect(await bench.withWorker(backlog, () => bench.start('refused'))).toEqual({ state: 'incomplete' });
    expect(backlog.failed.get('shard-0000' as ShardId)).toEqual({ code: 'WEIGHTS_MISMATCH', attempts: 1 });
  });

  it('does not count a draining worker or a lost store against a shard', async () => {
    const backlog = new Backlog(1, () => (attempt) => (attempt <= 2 ? fails('DRAINING') : attempt <= 4 ? fails('STORE_LOST') : succeeds()));
    expect(await bench.withWorker(backlog, () => bench.start('drain', { maximumAttempts: 1 }))).toEqual({ state: 'done' });
    expect(backlog.attempts.get('shard-0000' as ShardId)).toBe(5);
  });

  it('asks for a new lease when a write was refused', async () => {
    const backlog = new Backlog(1, () => (attempt) => (attempt === 1 ? fails('LEASE_LOST', true) : succeeds()));
    expect(await bench.withWorker(backlog, () => bench.start('lease', { maximumAttempts: 1 }))).toEqual({ state: 'done' });
    expect(backlog.attempts.get('shard-0000' as ShardId)).toBe(2);
  });

  it('is joined, not doubled, by a second submission, and goes on with what that added', async () => {
    const backlog = new Backlog(6, () => () => pause(100));
    const [first, second] = await bench.withWorker(backlog, async () => {
      const running = bench.start('twice', { concurrency: 2 });
      await waitFor(() => backlog.done.length >= 2);
      backlog.add(4);
      return Promise.all([running, bench.start('twice', { concurrency: 2 })]);
    });
    expect([first, second]).toEqual([{ state: 'done' }, { state: 'done' }]);
    expect(backlog.done).toHaveLength(10);
    expect([...backlog.attempts.values()].every((count) => count === 1)).toBe(true);
  });

  it('notices a child that was terminated before it could report, and evaluates its shard again', async () => {
    const backlog = new Backlog(2, (shard) => (attempt, signal) => (shard.endsWith('0') && attempt === 1 ? untilCancelled(attempt, signal) : succeeds()));
    // The store still has the shard; Temporal has no workflow for it any more.
    const { goneShards } = backlog.control;
    backlog.control.goneShards = async (input) => (backlog.attempts.get('shard-0000' as ShardId) === 1 ? [...input.open] : goneShards(input));
    const run = bench.withWorker(backlog, async () => {
      const running = bench.start('lost-signal', { reconcileSeconds: 1 });
      await waitFor(() => backlog.attempts.has('shard-0000' as ShardId));
      await bench.client.workflow.getHandle(shardWorkflowId('lost-signal' as SweepId, 'shard-0000' as ShardId)).terminate('test');
      return running;
    });
    expect(await run).toEqual({ state: 'done' });
    expect(backlog.attempts.get('shard-0000' as ShardId)).toBe(2);
  });

  it('passes a cancel on to its shards, waits for their slots and ends cancelled', async () => {
    const backlog = new Backlog(3, () => untilCancelled);
    const run = bench.withWorker(backlog, async () => {
      const running = bench.start('cancel', { concurrency: 2 });
      await waitFor(() => backlog.inFlight === 2);
      await bench.client.workflow.getHandle(sweepWorkflowId('cancel' as SweepId)).cancel();
      return running;
    });
    expect(await run).toEqual({ state: 'cancelled' });
    expect(backlog.inFlight).toBe(0);
    expect(backlog.end).toBe('cancelled');
    expect(backlog.left.size).toBe(3);
  });
});
