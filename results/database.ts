/**
 * The connections of one process: few, and every loss of one told as STORE_LOST.
 */
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { RopesweepError } from '../domain/errors.js';
import { HEARTBEAT } from '../domain/orchestration.js';
import { PrismaClient, type Prisma } from './generated/client.js';
import { asStoreError, isDeadlock } from './lostConnection.js';

/** What the statements of the store run on: the client, or a transaction of it. */
export type Client = Prisma.TransactionClient;

/** Workers are many and PostgreSQL's connections few; a process hardly ever needs more at once. A submission takes one more. */
export const CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_DELAY_MS = 10_000;
const DEADLOCK_ATTEMPTS = 10;
/** A submission of a million cells is one transaction. */
const TRANSACTION_TIMEOUT_MS = 600_000;

export class Database {
  private readonly pool: pg.Pool;
  private readonly client: PrismaClient;

  /** @param stillMs how long a transaction may stand still before PostgreSQL ends it, and with it what it locked */
  constructor(
    private readonly databaseUrl: string,
    stillMs: number = HEARTBEAT.timeoutMs,
  ) {
    // A process that is stopped or cut off in the middle of a transaction is given up by Temporal after this time; from then
    // on nobody may have to wait for what it holds. The pool waits for what its hook returns, which its type does not say.
    const limit = (connection: pg.ClientBase): unknown => connection.query(`SET idle_in_transaction_session_timeout = ${String(stillMs)}`);
    this.pool = poolOf(databaseUrl, CONNECTIONS, limit);
    this.client = clientOn(this.pool);
  }

  /** Statements that need no transaction of their own. */
  async read<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    try {
      return await work(this.client);
    } catch (error) {
      throw asStoreError(error);
    }
  }

  /** One statement with parameters of megabytes, which Prisma would write as JSON and read again. */
  async readWithMuch<Row extends pg.QueryResultRow>({ text, values }: Prisma.Sql): Promise<Row[]> {
    try {
      return (await this.pool.query<Row>(text, values)).rows;
    } catch (error) {
      throw asStoreError(error);
    }
  }

  /** The same for what comes in pieces. */
  async *readPages<Page>(work: (client: Client) => AsyncIterable<Page>): AsyncGenerator<Page> {
    try {
      yield* work(this.client);
    } catch (error) {
      throw asStoreError(error);
    }
  }

  /**
   * One transaction, read committed: all of `work` or nothing. Statements lock in one order, but a transaction of several may
   * still meet another (two sweeps that share cells): the one that PostgreSQL breaks off is done again.
   */
  write<Result>(work: (transaction: Client) => Promise<Result>): Promise<Result> {
    return untilNoDeadlock(() => this.client.$transaction(work));
  }

  /** The same on a connection of its own, which is given too: COPY is not for Prisma to say. */
  async writeInBulk<Result>(work: (transaction: Client, connection: pg.ClientBase) => Promise<Result>): Promise<Result> {
    const pool = poolOf(this.databaseUrl, 1);
    let connection: pg.ClientBase | undefined;
    pool.on('connect', (connected) => (connection = connected));
    const client = clientOn(pool);
    try {
      return await untilNoDeadlock(() =>
        client.$transaction((transaction) => {
          if (connection === undefined) throw new RopesweepError('INTERNAL', { where: 'store', what: 'a transaction began without a connection' });
          return work(transaction, connection);
        }),
      );
    } finally {
      await client.$disconnect();
    }
  }

  close(): Promise<void> {
    return this.client.$disconnect();
  }
}

const poolOf = (databaseUrl: string, max: number, onConnect: (connection: pg.ClientBase) => unknown = () => undefined): pg.Pool =>
  new pg.Pool({
    connectionString: databaseUrl,
    max,
    onConnect,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // Without a delay the system waits two hours before it asks a server that says nothing whether it is there.
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    application_name: 'ropesweep',
  });

function clientOn(pool: pg.Pool): PrismaClient {
  // A connection that dies says so here too; the statement on it, or the next one, throws.
  const adapter = new PrismaPg(pool, { disposeExternalPool: true, onPoolError: () => undefined, onConnectionError: () => undefined });
  return new PrismaClient({
    adapter,
    errorFormat: 'minimal',
    transactionOptions: { maxWait: 30_000, timeout: TRANSACTION_TIMEOUT_MS },
  });
}

async function untilNoDeadlock<Result>(transact: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transact();
    } catch (error) {
      if (!isDeadlock(error) || attempt === DEADLOCK_ATTEMPTS) throw asStoreError(error);
    }
  }
}
