/**
 * The connections of one process: few, and every loss of one told as STORE_LOST.
 */
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient, type Prisma } from './generated/client.js';
import { asStoreError, isDeadlock } from './lostConnection.js';

/** What the statements of the store run on: the client, or a transaction of it. */
export type Client = Prisma.TransactionClient;

/** Workers are many and PostgreSQL's connections few; a process hardly ever needs more at once. */
const CONNECTIONS = 4;
const CONNECT_TIMEOUT_MS = 10_000;
const DEADLOCK_ATTEMPTS = 10;
/** A submission of a million cells is one transaction. */
const TRANSACTION_TIMEOUT_MS = 600_000;

export class Database {
  private readonly client: PrismaClient;

  constructor(databaseUrl: string) {
    const adapter = new PrismaPg(
      { connectionString: databaseUrl, max: CONNECTIONS, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true },
      // A connection that dies says so here too; the statement on it, or the next one, throws.
      { onPoolError: () => undefined, onConnectionError: () => undefined },
    );
    this.client = new PrismaClient({
      adapter,
      errorFormat: 'minimal',
      transactionOptions: { maxWait: 30_000, timeout: TRANSACTION_TIMEOUT_MS },
    });
  }

  /** Statements that need no transaction of their own. */
  async read<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    try {
      return await work(this.client);
    } catch (error) {
      throw asStoreError(error);
    }
  }

  /**
   * One transaction, read committed: all of `work` or nothing. Statements lock in one order, but a transaction of several may
   * still meet another (two sweeps that share cells): the one that PostgreSQL breaks off is done again.
   */
  async write<Result>(work: (transaction: Client) => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.client.$transaction(work);
      } catch (error) {
        if (!isDeadlock(error) || attempt === DEADLOCK_ATTEMPTS) throw asStoreError(error);
      }
    }
  }

  close(): Promise<void> {
    return this.client.$disconnect();
  }
}
