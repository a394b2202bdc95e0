import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { planSweep, readSweepFile, type PlannedSweep, type SweepFile } from '../../cli/planning.js';
import { Refining } from '../../cli/refining.js';
import type { ArmId, ShardId, SweepId } from '../../domain/ids.js';
import type { SweepStatus } from '../../domain/ports.js';
import { isNeedleRow } from '../../domain/rows.js';
import type { PrismaStore } from '../../results/store.js';
import { FIXTURE_PLACE, fixtureResult } from '../stack/seed.js';
import type { TestDatabase } from '../stack/postgres.js';
import { useFreshStore } from '../stack/store.js';

let store: PrismaStore;
let database: TestDatabase;
useFreshStore((fresh) => ({ store, database } = fresh));

const SILENT = { emit: () => undefined, progress: () => undefined, done: () => undefined };

const ARMS = 2;
let file: SweepFile;
let planned: PlannedSweep;
let sweep: SweepId;
let refining: Refining;
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  file = await readSweepFile('sweeps/refine-demo.yaml', ['methods=[none, {name: yarn, factor: 8}]', 'continualPretrainContextTokens=[null]', 'canary=false']);
  planned = await planSweep(file, store);
  ({ sweep } = planned.plan);
  await store.submit(file.spec, planned.plan);
  refining = new Refining(file.spec, planned, store, SILENT);
  await refining.extend();
}, 60_000);
afterAll(() => void vi.useRealTimers());

/** Looks are not taken again at once. */
const passed = (): void => void vi.setSystemTime(Date.now() + 60_000);

const status = async (): Promise<SweepStatus> => {
  const now = await store.status(sweep);
  if (now === null) throw new Error('no sweep');
  return now;
};

interface OpenShard {
  readonly id: ShardId;
  readonly arm: ArmId;
  readonly refines: boolean;
}

async function openShards(): Promise<OpenShard[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<OpenShard>(`
    SELECT h.id, h.arm_id AS arm, bool_or(m.origin = 'refine') AS refines
    FROM shards h JOIN memberships m ON m.shard_id = h.id WHERE h.state = 'planned' GROUP BY h.id ORDER BY h.created_at, h.id`);
  await client.end();
  return rows;
}

/** Evaluates these shards with made-up numbers. */
async function evaluate(shards: readonly OpenShard[]): Promise<void> {
  for (const { id } of shards) {
    const held = await store.lease(id, FIXTURE_PLACE);
    if (held === null) continue;
    await store.record(held.lease, FIXTURE_PLACE, held.job.cells.map(({ key, contextTokens }) => fixtureResult(key, contextTokens)));
    await store.finishShard(held.lease, null, null);
  }
}

describe('refinement while the sweep runs', () => {
  it('waits for what is under way', async () => {
    expect(await refining.goOnMeanwhile(await status())).toBe(false);
  });

  it('goes on with the search of one arm while the grid of the others is under way', async () => {
    const shards = await openShards();
    expect(new Set(shards.map(({ arm }) => arm)).size).toBe(ARMS);
    const [first] = shards;
    await evaluate(shards.filter(({ arm }) => arm === first?.arm));
    passed();
    expect(await refining.goOnMeanwhile(await status())).toBe(true);
    const more = (await openShards()).filter(({ refines }) => refines);
    expect(new Set(more.map(({ arm }) => arm))).toEqual(new Set([first?.arm]));
  });

  it('adds nothing to a sweep that a person paused', async () => {
    await evaluate((await openShards()).filter(({ refines }) => refines));
    await store.steer(sweep, { verb: 'pause' });
    passed();
    expect(await refining.goOnMeanwhile(await status())).toBe(false);
    expect(await refining.extend()).toBe(0);
    await store.steer(sweep, { verb: 'resume' });
    passed();
    expect(await refining.goOnMeanwhile(await status())).toBe(true);
  });

  it('asks for the same cells as a search that is played from its start, whatever order they ended in', async () => {
    // The youngest shard first, so that the arms overtake each other.
    for (let shards = await openShards(); shards.length > 0; shards = await openShards()) {
      await evaluate(shards.slice(-1));
      passed();
      await refining.goOnMeanwhile(await status());
    }
    expect(await refining.extend()).toBe(0);
    const again = new Refining(file.spec, await planSweep(file, store), store, SILENT);
    expect(await again.extend()).toBe(0);
    expect(again.totals().refinement).toEqual(refining.totals().refinement);
    expect(again.totals().refinement).toMatchObject({ frontiers: ARMS, found: ARMS });
    const { cells } = await store.rows(sweep);
    const beside = cells.filter((cell) => isNeedleRow(cell) && cell.origin !== 'grid').map(({ armId, key }) => `${armId}/${key}`);
    expect(beside.sort()).toEqual(again.cells.map(({ armId, key }) => `${armId}/${key}`).sort());
  }, 300_000);
});
