/**
 * Records the histories that replay.test.ts replays: `npm run record-histories`. Do it only when a workflow was changed on
 * purpose and no sweep of an older version needs to go on.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { it } from 'vitest';
import type { ShardId, SweepId } from '../../domain/ids.js';
import { shardWorkflowId, sweepWorkflowId } from '../../domain/orchestration.js';
import { packageFile } from '../../infra/packageRoot.js';
import { Backlog, fails, openBench, untilCancelled } from './bench.js';

const succeeds = () => Promise.resolve();
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
/** Hosts, process ids and paths of the recording machine mean nothing elsewhere. */
const anonymous = (key: string, value: unknown): unknown =>
  key === 'stackTrace' ? '' : typeof value === 'string' && /^\d+@/.test(value) ? 'ropesweep' : value;

it('records the histories', async () => {
  const bench = await openBench();
  const folder = packageFile('tests', 'histories');
  mkdirSync(folder, { recursive: true });

  async function save(name: string, workflowId: string): Promise<void> {
    const history = await bench.client.workflow.getHandle(workflowId).fetchHistory();
    writeFileSync(`${folder}/${name}.json`, `${JSON.stringify(JSON.parse(historyToJSON(history), anonymous), null, 1)}\n`);
    console.log(`${name}: ${String(history.events?.length ?? 0)} events`);
  }
  const sweep = (name: string) => sweepWorkflowId(name as SweepId);
  const shard = (name: string, index: number) => shardWorkflowId(name as SweepId, `shard-${String(index).padStart(4, '0')}` as ShardId);

  let calmBegun = 0;
  const calm = new Backlog(6, () => () => pause(600 + 137 * (calmBegun++ % 7)), { concurrency: 3 });
  await bench.withWorker(calm, () => bench.start('done'));
  await save('sweep-done', sweep('done'));
  await save('shard-done', shard('done', 0));

  const rough = new Backlog(4, (id) => (attempt) => (id.endsWith('1') || (id.endsWith('2') && attempt < 2) ? fails('SLOT_CRASHED') : succeeds()), { maximumAttempts: 2 });
  await bench.withWorker(rough, () => bench.start('incomplete'));
  await save('sweep-incomplete', sweep('incomplete'));
  await save('shard-quarantined', shard('incomplete', 1));
  await save('shard-retried', shard('incomplete', 2));

  const growing = new Backlog(4, () => () => pause(100), { concurrency: 2 });
  await bench.withWorker(growing, async () => {
    const running = bench.start('extended');
    await pause(600);
    growing.add(3);
    return Promise.all([running, bench.start('extended')]);
  });
  await save('sweep-extended', sweep('extended'));

  const endless = new Backlog(3, () => untilCancelled, { concurrency: 2 });
  await bench.withWorker(endless, async () => {
    const running = bench.start('cancelled');
    while (endless.inFlight < 2) await pause(50);
    await bench.client.workflow.getHandle(sweep('cancelled')).cancel();
    return running;
  });
  await save('sweep-cancelled', sweep('cancelled'));
  await save('shard-cancelled', shard('cancelled', 0));

  const poisoned = new Backlog(2, (id) => () => (id.endsWith('0') || id.endsWith('0a') ? fails('SLOT_CRASHED') : succeeds()), { maximumAttempts: 2 });
  poisoned.cells.set('shard-0000' as ShardId, 2);
  await bench.withWorker(poisoned, () => bench.start('split'));
  await save('sweep-split', sweep('split'));
  await save('shard-split', shard('split', 0));

  // Half of its shards hand cells on, so both classes have shards to start for most of the time; no two end at once, which would
  // share workflow tasks.
  let begun = 0;
  const mixed = new Backlog(12, () => () => pause(600 + 137 * (begun++ % 7)), { concurrency: 4 });
  for (const id of [...mixed.left].filter((_, index) => index % 2 === 0)) mixed.handsOn.set(id, `${id}-larger` as ShardId);
  await bench.withWorker(mixed, () => bench.start('two-classes'));
  await save('sweep-two-classes', sweep('two-classes'));
  await save('shard-handed-on', shard('two-classes', 0));
  await save('shard-larger', shardWorkflowId('two-classes' as SweepId, 'shard-0000-larger' as ShardId));

  const steered = new Backlog(6, () => () => pause(100), { concurrency: 2 });
  await bench.withWorker(steered, async () => {
    const running = bench.start('steered');
    while (steered.done.length < 2) await pause(50);
    steered.control = { ...steered.control, state: 'paused' };
    await bench.tell('steered');
    await pause(500);
    steered.control = { ...steered.control, state: 'running', concurrency: 3, priority: 1 };
    await bench.tell('steered');
    return running;
  });
  await save('sweep-steered', sweep('steered'));
  await bench.close();
}, 120_000);
