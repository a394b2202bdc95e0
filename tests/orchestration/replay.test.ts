import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../infra/packageRoot.js';
import { workflowBundle } from './bench.js';

const folder = packageFile('tests', 'histories');
const histories = readdirSync(folder).filter((name) => name.endsWith('.json'));

const eventTypes = (name: string): string[] =>
  (JSON.parse(readFileSync(`${folder}/${name.replace(/\.json$/, '')}.json`, 'utf8')) as { events: { eventType: string }[] }).events.map(({ eventType }) => eventType);

/** A change that is not deterministic against these would break sweeps that were running when it was installed. */
describe('recorded histories', () => {
  it('are there: a sweep and a shard that went well, and ones that crashed, were split, handed cells on to a larger class, were extended, steered and cancelled', () => {
    expect(histories.sort()).toEqual([
      'shard-cancelled.json',
      'shard-done.json',
      'shard-handed-on.json',
      'shard-larger.json',
      'shard-quarantined.json',
      'shard-retried.json',
      'shard-split.json',
      'sweep-cancelled.json',
      'sweep-done.json',
      'sweep-extended.json',
      'sweep-incomplete.json',
      'sweep-split.json',
      'sweep-steered.json',
      'sweep-two-classes.json',
    ]);
  });

  it.each(histories)('%s replays with the present workflows', async (name) => {
    const history: unknown = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'));
    await Worker.runReplayHistory({ workflowBundle: workflowBundle() }, history);
  });

  it.each([
    ['of one device class', 'sweep-done', ['shard-done']],
    ['of two device classes, with cells handed on from shard to shard', 'sweep-two-classes', ['shard-handed-on', 'shard-larger']],
  ])('cost at most 5 workflow tasks a shard in a sweep %s, its share of the sweep included', (_sweep, sweep, shards) => {
    const count = (name: string, type: string): number => eventTypes(name).filter((one) => one === type).length;
    const tasks = (name: string): number => count(name, 'EVENT_TYPE_WORKFLOW_TASK_COMPLETED');
    const share = tasks(sweep) / count(sweep, 'EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED');
    const most = Math.max(...shards.map(tasks)) + share;
    console.log(`${sweep}: ${most.toFixed(2)} workflow tasks a shard`);
    expect(share).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(5);
  });

  it.each(histories)('%s has at most 5,000 events and 500 open children', (name) => {
    const events = eventTypes(name);
    let [open, most] = [0, 0];
    for (const type of events) {
      if (type === 'EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED') open += 1;
      else if (/^EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_(COMPLETED|FAILED|CANCELED|TERMINATED|TIMED_OUT)$/.test(type)) open -= 1;
      most = Math.max(most, open);
    }
    expect(events.length).toBeLessThanOrEqual(5_000);
    expect(most).toBeLessThanOrEqual(500);
  });

  it('would be refused if a workflow did something else', async () => {
    const recorded = JSON.parse(readFileSync(`${folder}/sweep-done.json`, 'utf8')) as { events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[] };
    for (const { activityTaskScheduledEventAttributes: scheduled } of recorded.events) {
      if (scheduled !== undefined) scheduled.activityType.name = `not-${scheduled.activityType.name}`;
    }
    await expect(Worker.runReplayHistory({ workflowBundle: workflowBundle() }, recorded)).rejects.toThrow(/[Nn]ondeterminis/);
  });
});
