/** A store on a database of its own for the tests of a file. */
import { afterAll, beforeAll } from 'vitest';
import { openStore, type PrismaStore } from '../../results/store.js';
import { freshDatabase, type TestDatabase } from './postgres.js';

export interface FreshStore {
  readonly store: PrismaStore;
  readonly database: TestDatabase;
}

/** Opens it before the first test and drops it after the last. */
export function useFreshStore(opened: (fresh: FreshStore) => void): void {
  let fresh: FreshStore | undefined;
  beforeAll(async () => {
    const database = await freshDatabase();
    fresh = { database, store: await openStore(database.url) };
    opened(fresh);
  });
  afterAll(async () => {
    await fresh?.store.close();
    await fresh?.database.drop();
  });
}
