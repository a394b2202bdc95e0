import proto from '@temporalio/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ShardId, SweepId } from '../../domain/ids.js';
import { shardWorkflowId, sweepWorkflowId } from '../../domain/orchestration.js';
import { Backlog, fails, openBench, untilCancelled, type Bench } from './bench.js';

const succeeds = () => Promise.resolve();
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const { EventType } = proto.temporal.api.enums.v1;

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
    const backlog = new Backlog(30, () => () => pause(20), { concurrency: 4 });
    expect(await bench.withWorker(backlog, () => bench.start('window'))).toEqual({ state: 'done' });
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
    const backlog = new Backlog(5, (shard) => () => (shard.endsWith('2') ? fails('SLOT_CRASHED') : succeeds()), { maximumAttempts: 2 });
    expect(await bench.withWorker(backlog, () => bench.start('poison'))).toEqual({ state: 'incomplete' });
    expect(backlog.failed).toEqual(new Map([['shard-0002', { code: 'SLOT_CRASHED', attempts: 2 }]]));
    expect(backlog.done).toHaveLength(4);
  });

  it('quarantines bad input at once', async () => {
    const backlog = new Backlog(1, () => () => fails('WEIGHTS_MISMATCH', true));
    expect(await bench.withWorker(backlog, () => bench.start('refused'))).toEqual({ state: 'incomplete' });
    expect(backlog.failed.get('shard-0000' as ShardId)).toEqual({ code: 'WEIGHTS_MISMATCH', attempts: 1 });
  });

  it('does not count a draining worker or a lost store against a shard', async () => {
    const backlog = new Backlog(1, () => (attempt) => (attempt <= 2 ? fails('DRAINING') : attempt <= 4 ? fails('STORE_LOST') : succeeds()), { maximumAttempts: 1 });
    expect(await bench.withWorker(backlog, () => bench.start('drain'))).toEqual({ state: 'done' });
    expect(backlog.attempts.get('shard-0000' as ShardId)).toBe(5);
  });

  it('asks for a new lease when a write was refused', async () => {
    const backlog = new Backlog(1, () => (attempt) => (attempt === 1 ? fails('LEASE_LOST', true) : succeeds()), { maximumAttempts: 1 });
    expect(await bench.withWorker(backlog, () => bench.start('lease'))).toEqual({ state: 'done' });
    expect(backlog.attempts.get('shard-0000' as ShardId)).toBe(2);
  });

  it('is joined, not doubled, by a second submission, and goes on with what that added', async () => {
    const backlog = new Backlog(6, () => () => pause(100), { concurrency: 2 });
    const [first, second] = await bench.withWorker(backlog, async () => {
      const running = bench.start('twice');
      await waitFor(() => backlog.done.length >= 2);
      backlog.add(4);
      return Promise.all([running, bench.start('twice')]);
    });
    expect([first, second]).toEqual([{ state: 'done' }, { state: 'done' }]);
    expect(backlog.done).toHaveLength(10);
    expect([...backlog.attempts.values()].every((count) => count === 1)).toBe(true);
  });

  it('notices a child that was terminated before it could report, and evaluates its shard again', async () => {
    const backlog = new Backlog(2, (shard) => (attempt, signal) => (shard.endsWith('0') && attempt === 1 ? untilCancelled(attempt, signal) : succeeds()));
    // The store still has the shard; Temporal has no workflow for it any more.
    const { goneShards } = backlog.activities;
    backlog.activities.goneShards = async (input) => (backlog.attempts.get('shard-0000' as ShardId) === 1 ? [...input.open] : goneShards(input));
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
    const backlog = new Backlog(3, () => untilCancelled, { concurrency: 2 });
    const run = bench.withWorker(backlog, async () => {
      const running = bench.start('cancel');
      await waitFor(() => backlog.inFlight === 2);
      await bench.client.workflow.getHandle(sweepWorkflowId('cancel' as SweepId)).cancel();
      return running;
    });
    expect(await run).toEqual({ state: 'cancelled' });
    expect(backlog.inFlight).toBe(0);
    expect(backlog.end).toBe('cancelled');
    expect(backlog.left.size).toBe(3);
  });

  it('opens its window only when a canary went well', async () => {
    let opened = 0;
    const backlog = new Backlog(6, (shard) => async () => {
      if (shard.endsWith('5')) {
        await pause(500);
        opened = backlog.inFlight;
      } else await pause(50);
    });
    backlog.canaries = ['shard-0005' as ShardId, 'shard-0000' as ShardId];
    expect(await bench.withWorker(backlog, () => bench.start('canary'))).toEqual({ state: 'done' });
    expect(backlog.done[0]).toBe('shard-0000');
    expect(backlog.done).toHaveLength(6);
    expect(opened).toBeGreaterThanOrEqual(1);
  });

  it('stops early, and says why, when both canaries fail of the same', async () => {
    const backlog = new Backlog(6, () => () => fails('CHECKPOINT_INVALID', true));
    backlog.canaries = ['shard-0005' as ShardId, 'shard-0000' as ShardId];
    expect(await bench.withWorker(backlog, () => bench.start('canaries-fail'))).toEqual({ state: 'incomplete' });
    expect([...backlog.attempts.keys()].sort()).toEqual(['shard-0000', 'shard-0005']);
    expect(backlog.reason).toContain('the cheapest and the dearest shard failed alike');
    expect(backlog.reason).toContain('CHECKPOINT_INVALID');
  });

  it('goes on when its canaries fail of different things', async () => {
    const backlog = new Backlog(4, (shard) => () => (shard.endsWith('0') ? fails('CHECKPOINT_INVALID', true) : shard.endsWith('3') ? fails('WEIGHTS_MISMATCH', true) : succeeds()));
    backlog.canaries = ['shard-0003' as ShardId, 'shard-0000' as ShardId];
    expect(await bench.withWorker(backlog, () => bench.start('canaries-differ'))).toEqual({ state: 'incomplete' });
    expect(backlog.done).toHaveLength(2);
  });

  it('cuts a shard that keeps killing its slot in two until the poison cell is alone, and quarantines that one', async () => {
    const poison = (shard: string): boolean => 'shard-0000abba'.startsWith(shard);
    const backlog = new Backlog(2, (shard) => () => (poison(shard) ? fails('SLOT_CRASHED') : succeeds()));
    backlog.cells.set('shard-0000' as ShardId, 16);
    expect(await bench.withWorker(backlog, () => bench.start('bisect'))).toEqual({ state: 'incomplete' });
    expect([...backlog.failed.keys()]).toEqual(['shard-0000abba']);
    expect([...backlog.done].sort()).toEqual(['shard-0000aa', 'shard-0000aba', 'shard-0000abbb', 'shard-0000b', 'shard-0001']);
  });

  it('looks at the store again when its last shard handed cells on, and evaluates the shard that has them', async () => {
    const backlog = new Backlog(2, () => succeeds);
    backlog.handsOn.set('shard-0001' as ShardId, 'shard-0001-larger' as ShardId);
    expect(await bench.withWorker(backlog, () => bench.start('handed-on'))).toEqual({ state: 'done' });
    expect([...backlog.done].sort()).toEqual(['shard-0000', 'shard-0001', 'shard-0001-larger']);
  });

  it('opens its window when its canaries handed their cells on: that is no failure', async () => {
    const backlog = new Backlog(4, () => succeeds);
    backlog.canaries = ['shard-0000' as ShardId, 'shard-0003' as ShardId];
    for (const canary of backlog.canaries) backlog.handsOn.set(canary, `${canary}-larger` as ShardId);
    expect(await bench.withWorker(backlog, () => bench.start('canaries-handed-on'))).toEqual({ state: 'done' });
    expect(backlog.done).toHaveLength(6);
  });

  it('starts nothing while it is paused and goes on when it is resumed', async () => {
    const backlog = new Backlog(8, () => () => pause(100), { concurrency: 2 });
    await bench.withWorker(backlog, async () => {
      const running = bench.start('paused');
      await waitFor(() => backlog.done.length >= 2);
      backlog.control = { ...backlog.control, state: 'paused' };
      await bench.tell('paused');
      await pause(800);
      const before = backlog.done.length;
      await pause(800);
      expect(backlog.done).toHaveLength(before);
      expect(before).toBeLessThan(8);
      backlog.control = { ...backlog.control, state: 'running' };
      await bench.tell('paused');
      expect(await running).toEqual({ state: 'done' });
    });
    expect([...backlog.attempts.values()].every((count) => count === 1)).toBe(true);
  });

  it('lets what is in flight end when it is stopped, and ends stopped', async () => {
    const backlog = new Backlog(8, () => () => pause(300), { concurrency: 2 });
    const end = await bench.withWorker(backlog, async () => {
      const running = bench.start('stopped');
      await waitFor(() => backlog.inFlight === 2);
      backlog.control = { ...backlog.control, state: 'stopping' };
      await bench.tell('stopped');
      return running;
    });
    expect(end).toEqual({ state: 'stopped' });
    expect(backlog.done).toHaveLength(2);
  });

  it('kills what is in flight when a person cancels it', async () => {
    const backlog = new Backlog(4, () => untilCancelled, { concurrency: 2 });
    const end = await bench.withWorker(backlog, async () => {
      const running = bench.start('cancelling');
      await waitFor(() => backlog.inFlight === 2);
      backlog.control = { ...backlog.control, state: 'cancelling' };
      await bench.tell('cancelling');
      return running;
    });
    expect(end).toEqual({ state: 'cancelled' });
    expect(backlog.inFlight).toBe(0);
  });

  it('does not wait, when it is cancelled, for shards whose workflows are gone without a word', async () => {
    const backlog = new Backlog(4, () => untilCancelled, { concurrency: 2 });
    const asked: ShardId[][] = [];
    backlog.activities.goneShards = ({ open }) => {
      asked.push([...open]);
      return Promise.resolve([...open]);
    };
    const end = await bench.withWorker(backlog, async () => {
      const running = bench.start('cancel-gone', { reconcileSeconds: 600 });
      await waitFor(() => backlog.inFlight === 2);
      for (const shard of backlog.attempts.keys()) await bench.client.workflow.getHandle(shardWorkflowId('cancel-gone' as SweepId, shard)).terminate('test');
      backlog.control = { ...backlog.control, state: 'cancelling' };
      await bench.tell('cancel-gone');
      return running;
    });
    expect(end).toEqual({ state: 'cancelled' });
    expect(asked.map((shards) => shards.sort())).toEqual([[...backlog.attempts.keys()].sort()]);
  });

  it('hears of a shard that the store does not have any more, and goes on without it', async () => {
    const backlog = new Backlog(3, (shard) => () => (shard.endsWith('1') ? fails('INTERNAL', true) : succeeds()));
    const { failShard } = backlog.activities;
    backlog.activities.failShard = async (input) => {
      await failShard(input);
      return fails('INTERNAL', true);
    };
    expect(await bench.withWorker(backlog, () => bench.start('forgotten', { reconcileSeconds: 600 }))).toEqual({ state: 'incomplete' });
    expect(backlog.done).toHaveLength(2);
  });

  it('goes on where more was added just before its end was written', async () => {
    const backlog = new Backlog(2, () => succeeds);
    const { finishSweep } = backlog.activities;
    let settled = 0;
    backlog.activities.finishSweep = (input) => {
      settled += 1;
      if (settled > 1) return finishSweep(input);
      backlog.add(3);
      return Promise.resolve(null);
    };
    expect(await bench.withWorker(backlog, () => bench.start('more'))).toEqual({ state: 'done' });
    expect(backlog.done).toHaveLength(5);
    expect(settled).toBe(2);
  });

  it('widens its window at once when another concurrency is set', async () => {
    const backlog = new Backlog(12, () => () => pause(1_000), { concurrency: 1 });
    await bench.withWorker(backlog, async () => {
      const running = bench.start('wider');
      await waitFor(() => backlog.done.length >= 1);
      backlog.control = { ...backlog.control, concurrency: 5 };
      await bench.tell('wider');
      expect(await running).toEqual({ state: 'done' });
    });
    expect(backlog.mostInFlight).toBe(5);
  });

  it('asks for the new priority of what waits in a queue', async () => {
    const backlog = new Backlog(4, () => () => pause(300), { concurrency: 2 });
    await bench.withWorker(backlog, async () => {
      const running = bench.start('priority');
      await waitFor(() => backlog.inFlight === 2);
      backlog.control = { ...backlog.control, priority: 1 };
      await bench.tell('priority');
      expect(await running).toEqual({ state: 'done' });
    });
    expect(backlog.prioritised).toEqual([1]);
  });

  it('starts nothing more once its failure budget is spent, and ends incomplete with the reason', async () => {
    const backlog = new Backlog(9, (shard) => async () => {
      await pause(50);
      if (!shard.endsWith('1')) return;
      backlog.control = { ...backlog.control, spent: 'the failure budget is spent' };
      fails('WEIGHTS_MISMATCH', true);
    }, { concurrency: 2 });
    expect(await bench.withWorker(backlog, () => bench.start('budget'))).toEqual({ state: 'incomplete' });
    expect(backlog.done.length).toBeLessThan(6);
    expect(backlog.reason).toBe('the failure budget is spent');
  });

  it('ends when somebody else has written its end', async () => {
    const backlog = new Backlog(8, () => () => pause(100), { concurrency: 2 });
    const end = await bench.withWorker(backlog, async () => {
      const running = bench.start('ended-elsewhere');
      await waitFor(() => backlog.done.length >= 2);
      backlog.control = { ...backlog.control, state: 'stopped' };
      await bench.tell('ended-elsewhere');
      return running;
    });
    expect(end).toEqual({ state: 'stopped' });
    expect(backlog.left.size).toBeGreaterThan(0);
  });

  it('does not strand a shard that was passed on to a worker that died, and has it passed on once', async () => {
    const backlog = new Backlog(2, () => succeeds);
    backlog.elsewhere = { queue: 'a-worker-that-died', waitMs: 300 };
    expect(await bench.withWorker(backlog, () => bench.start('stranded'))).toEqual({ state: 'done' });
    expect([...backlog.attempts.values()]).toEqual([1, 1]);
  });

  it('costs at most 5 workflow tasks a shard, its share of the sweep included, and stays under 5,000 events a run', async () => {
    const shards = 120;
    const backlog = new Backlog(shards, () => () => pause(5), { concurrency: 16 });
    await bench.withWorker(backlog, () => bench.start('cheap'));
    const count = async (workflowId: string): Promise<{ events: number; tasks: number }> => {
      const { events } = await bench.client.workflow.getHandle(workflowId).fetchHistory();
      const completed = (events ?? []).filter(({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
      return { events: events?.length ?? 0, tasks: completed.length };
    };
    const sweep = await count(sweepWorkflowId('cheap' as SweepId));
    const shard = await count(shardWorkflowId('cheap' as SweepId, 'shard-0000' as ShardId));
    const tasks = shard.tasks + sweep.tasks / shards;
    console.log(`${tasks.toFixed(2)} workflow tasks and ${(shard.events + sweep.events / shards).toFixed(1)} events a shard, ${String(sweep.events)} events in the sweep's run`);
    expect(tasks).toBeLessThanOrEqual(5);
    expect(sweep.events).toBeLessThan(5_000);
  });

  it('with room for one in its window tries one canary after the other, and stops early when both fail of the same', async () => {
    const backlog = new Backlog(6, () => () => fails('CHECKPOINT_INVALID', true), { concurrency: 1 });
    backlog.canaries = ['shard-0005' as ShardId, 'shard-0003' as ShardId];
    expect(await bench.withWorker(backlog, () => bench.start('narrow-fails'))).toEqual({ state: 'incomplete' });
    expect([...backlog.attempts.keys()]).toEqual(['shard-0005', 'shard-0003']);
    expect(backlog.reason).toContain('the cheapest and the dearest shard failed alike');
  });

  it('that is widened between its canaries still starts nothing else before the second has ended', async () => {
    const backlog = new Backlog(6, (shard) => async () => {
      if (!shard.endsWith('5')) await pause(300);
      else backlog.control = { ...backlog.control, concurrency: 4 };
      fails('CHECKPOINT_INVALID', true);
    }, { concurrency: 1 });
    backlog.canaries = ['shard-0005' as ShardId, 'shard-0003' as ShardId];
    expect(await bench.withWorker(backlog, () => bench.start('widened'))).toEqual({ state: 'incomplete' });
    expect([...backlog.attempts.keys()]).toEqual(['shard-0005', 'shard-0003']);
  });

  it('goes on past a canary that failed where its window has room for one only', async () => {
    const backlog = new Backlog(5, (shard) => () => (shard.endsWith('4') ? fails('CHECKPOINT_INVALID', true) : succeeds()), { concurrency: 1 });
    backlog.canaries = ['shard-0004' as ShardId, 'shard-0003' as ShardId];
    expect(await bench.withWorker(backlog, () => bench.start('narrow'))).toEqual({ state: 'incomplete' });
    expect(backlog.done).toHaveLength(4);
  });
});
