import { describe, expect, it } from 'vitest';
import pg from 'pg';
import { scoreNeedle } from '../../domain/scoring.js';
import { SCORER_VERSION } from '../../domain/task.js';
import { isNeedleRow } from '../../domain/rows.js';
import { Database } from '../../results/database.js';
import { rescore } from '../../results/rescoring.js';
import type { PrismaStore } from '../../results/store.js';
import type { TestDatabase } from '../stack/postgres.js';
import { FIXTURE_CLASSES, fixturePlan, fixtureSpec, runFixture, type FixtureGrid } from '../stack/seed.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

const grid: FixtureGrid = { name: 'scored', contextTokens: [256, 2048], depths: [0, 1], seeds: [1, 2] };
const plan = fixturePlan(grid);

async function statement(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

describe('a scorer of a higher version', () => {
  it('scores stored rows again: scores change, raw numbers do not, and no cell is planned anew', async () => {
    await store.submit(fixtureSpec(grid), plan);
    await runFixture(store, plan.sweep);
    const before = (await store.rows(plan.sweep)).cells.filter(isNeedleRow);
    const own = new Database(database.url);
    // One right token is enough for this one.
    const rescored = await rescore(own, SCORER_VERSION + 1, (raw) => ({ ...scoreNeedle(raw), exactMatch: raw.top1Ids.some((id, row) => id === raw.answerIds[row]), tokenRecall: 1 }));
    expect(rescored).toBe(plan.cells.length);
    expect(await rescore(own, SCORER_VERSION + 1)).toBe(0);
    await own.close();

    const after = (await store.rows(plan.sweep)).cells.filter(isNeedleRow);
    expect(before.some(({ needle }) => needle?.exactMatch === false)).toBe(true);
    expect(after.map(({ needle }) => [needle?.exactMatch, needle?.tokenRecall])).toEqual(after.map(() => [true, 1]));
    const raw = (rows: typeof after) => rows.map((row) => ({ ...row, needle: { ...row.needle, exactMatch: null, tokenRecall: null } }));
    expect(raw(after)).toEqual(raw(before));
    const known = await store.knownCells([plan.cells.map(({ key }) => key)], FIXTURE_CLASSES);
    expect([...known.values()].every(({ state }) => state === 'measured')).toBe(true);
    expect(await store.submit(fixtureSpec(grid), plan)).toMatchObject({ created: false });
    expect(await store.status(plan.sweep)).toMatchObject({ state: 'done', cells: { planned: 0, measured: plan.cells.length } });
  });

  it('is the only way in: rows change neither without it, nor backwards, nor in anything but scores', async () => {
    await expect(statement(`UPDATE needle_results SET exact_match = false`)).rejects.toThrow('immutable');
    await expect(statement(`UPDATE measurements SET scorer_version = scorer_version - 1`)).rejects.toThrow('immutable');
    await expect(statement(`UPDATE measurements SET scorer_version = scorer_version + 1, seconds = 0`)).rejects.toThrow('immutable');
    const newer = 'UPDATE measurements SET scorer_version = scorer_version + 1';
    await expect(statement(`BEGIN; ${newer}; UPDATE needle_results SET nll = '{0}'; COMMIT`)).rejects.toThrow('immutable');
    await statement(`BEGIN; ${newer}; UPDATE needle_results SET token_recall = 0.5; COMMIT`);
    expect((await store.rows(plan.sweep)).cells.filter(isNeedleRow).every(({ needle }) => needle?.tokenRecall === 0.5)).toBe(true);
  });
});
