import { afterEach, expect, it } from 'vitest';
import { Drawings } from '../../cli/open/drawings.js';
import type { OpenStore } from '../../cli/open/looks.js';
import type { PrismaStore } from '../../results/store.js';
import { seedMixedSweep } from '../stack/mixedSweep.js';
import type { TestDatabase } from '../stack/postgres.js';
import { useFreshStore } from '../stack/store.js';

let database: TestDatabase;
let store: PrismaStore;
useFreshStore((fresh) => ({ database, store } = fresh));

let drawings: Drawings;
let uses = 0;
afterEach(() => drawings.interrupt());

it('a report is drawn once while the counters of its sweep stand, beside whatever else this process does, and anew when they change', async () => {
  const use = <Result>(work: (open: OpenStore) => Promise<Result>): Promise<Result> => {
    uses += 1;
    return work({ store, databaseUrl: database.url });
  };
  drawings = new Drawings({ use });
  const status = await store.status(await seedMixedSweep(store, 'drawn'));
  if (status === null) throw new Error('the sweep was submitted');

  let turns = 0;
  const timer = setInterval(() => (turns += 1), 5);
  const first = await drawings.fresh(status);
  clearInterval(timer);
  expect(first.failure).toBeNull();
  expect(first.drawing?.tasks).toEqual(['needle', 'perplexity', 'attention']);
  expect(turns).toBeGreaterThan(10);

  expect(await drawings.fresh({ ...status })).toBe(first);
  expect(drawings.latest(status)).toEqual({ drawn: first, pending: null });
  expect(uses).toBe(1);

  const more = { ...status, cells: { ...status.cells, measured: status.cells.measured + 1 } };
  expect((await drawings.fresh(more)).of).not.toBe(first.of);
  expect(uses).toBe(2);
});
