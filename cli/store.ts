/** Opens the store for verbs that look or steer: the configured PostgreSQL, the running stack's, or the embedded one for a moment. */
import { RopesweepError } from '../domain/errors.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { openStoreConnection, type StoreConnection } from '../infra/connections.js';
import { migrate } from '../results/migrate.js';
import { openStore, type PrismaStore } from '../results/store.js';
import { openWorkflows } from './openWorkflows.js';
import type { SweepWorkflows } from './sweepWorkflows.js';

export interface StoreOptions {
  readonly home?: string;
}

/**
 * @returns what `use` returns, or null when there is no store yet: nothing was ever run here and none is configured.
 */
export async function withStoreIfAny<Result>(options: StoreOptions, use: (store: PrismaStore, connection: StoreConnection) => Promise<Result>): Promise<Result | null> {
  const connection = await openStoreConnection({ ...options, log: (line) => console.error(line) });
  if (connection === null) return null;
  try {
    await migrate(connection.databaseUrl);
    const store = await openStore(connection.databaseUrl);
    try {
      return await use(store, connection);
    } finally {
      await store.close();
    }
  } finally {
    await connection.close();
  }
}

export async function withStore<Result>(options: StoreOptions, use: (store: PrismaStore, connection: StoreConnection) => Promise<Result>): Promise<Result> {
  const found = await withStoreIfAny(options, async (store, connection) => ({ result: await use(store, connection) }));
  if (found !== null) return found.result;
  throw new RopesweepError('SWEEP_UNKNOWN', { where: homePath(options.home), what: 'nothing was run here yet, so there is no store', mend: 'Run a sweep first, or name the folder with --home.' });
}

/** With the store and the workflows that run on it; those are null where nothing runs sweeps now. */
export function withSweeps<Result>(options: StoreOptions, use: (store: PrismaStore, workflows: SweepWorkflows | null) => Promise<Result>): Promise<Result> {
  return withStore(options, async (store, { temporal }) => {
    const workflows = temporal === null ? null : await openWorkflows(temporal);
    try {
      return await use(store, workflows);
    } finally {
      await workflows?.close();
    }
  });
}
