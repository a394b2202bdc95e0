import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, type Client } from '../../results/database.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';

describe('two transactions that lock the same rows in opposite order', () => {
  let test: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    test = await freshDatabase();
    database = new Database(test.url);
    await database.write((client) => client.$executeRaw`INSERT INTO sweeps (id, state, revision) VALUES ('a', 'running', 0), ('b', 'running', 0)`);
  });
  afterAll(async () => {
    await database.close();
    await test.drop();
  });

  it('both come to their end: the one that PostgreSQL breaks off is done again', async () => {
    const begun: Record<string, () => void> = {};
    const both = Promise.all(['a', 'b'].map((sweep) => new Promise<void>((resolve) => (begun[sweep] = resolve))));
    let tries = 0;
    const raise = (client: Client, sweep: string) => client.$executeRaw`UPDATE sweeps SET revision = revision + 1 WHERE id = ${sweep}`;
    const raiseBoth = (first: string, second: string): Promise<void> =>
      database.write(async (client) => {
        tries += 1;
        await raise(client, first);
        begun[first]?.();
        await both;
        await raise(client, second);
      });
    await Promise.all([raiseBoth('a', 'b'), raiseBoth('b', 'a')]);
    // Done again, it may meet the other once more.
    expect(tries).toBeGreaterThanOrEqual(3);
    const rows = await database.read((client) => client.sweep.findMany({ orderBy: { id: 'asc' } }));
    expect(rows.map(({ id, revision }) => [id, revision])).toEqual([['a', 2], ['b', 2]]);
  });
});
