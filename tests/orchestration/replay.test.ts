import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../infra/packageRoot.js';
import { workflowBundle } from './bench.js';

const folder = packageFile('tests', 'histories');
const histories = readdirSync(folder).filter((name) => name.endsWith('.json'));

/** A change that is not deterministic against these would break sweeps that were running when it was installed. */
describe('recorded histories', () => {
  it('are there: a sweep and a shard that went well, and ones that crashed, were split, extended, steered and cancelled', () => {
    expect(histories.sort()).toEqual([
      'shard-cancelled.json',
      'shard-done.json',
      'shard-quarantined.json',
      'shard-retried.json',
      'shard-split.json',
      'sweep-cancelled.json',
      'sweep-done.json',
      'sweep-extended.json',
      'sweep-incomplete.json',
      'sweep-split.json',
      'sweep-steered.json',
    ]);
  });

  it.each(histories)('%s replays with the present workflows', async (name) => {
    const history: unknown = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'));
    await Worker.runReplayHistory({ workflowBundle: workflowBundle() }, history);
  });

  it('would be refused if a workflow did something else', async () => {
    const recorded = JSON.parse(readFileSync(`${folder}/sweep-done.json`, 'utf8')) as { events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[] };
    for (const { activityTaskScheduledEventAttributes: scheduled } of recorded.events) {
      if (scheduled !== undefined) scheduled.activityType.name = `not-${scheduled.activityType.name}`;
    }
    await expect(Worker.runReplayHistory({ workflowBundle: workflowBundle() }, recorded)).rejects.toThrow(/[Nn]ondeterminis/);
  });
});
