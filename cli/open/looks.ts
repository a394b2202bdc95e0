/**
 * The store for as long as somebody reads: the configured one, or that of the stack which runs in the home, whoever starts and
 * stops it meanwhile. Where nothing runs it is opened for the moment that a reader needs, so that nobody has to wait for somebody
 * who only looks.
 */
import { RopesweepError } from '../../domain/errors.js';
import type { SweepStatus } from '../../domain/ports.js';
import { attachRunningStore, openStoreConnection, type RunningStore } from '../../infra/connections.js';
import { migrate } from '../../results/migrate.js';
import { openStore, type PrismaStore } from '../../results/store.js';
import type { StoreOptions } from '../store.js';

/** How all sweeps stand, or stood when it could last be seen. */
export interface Look {
  readonly sweeps: readonly SweepStatus[];
  /** Whether a stack runs here or a store is configured. */
  readonly isRunning: boolean;
  /** Why nothing newer is seen. */
  readonly notices: readonly string[];
}

/** A store that is open. */
export interface OpenStore {
  readonly store: PrismaStore;
  /** Holds the password: never print it. */
  readonly databaseUrl: string;
}

interface Opened extends OpenStore {
  /** Of a stack that somebody else runs; null for one that was opened for a moment. */
  readonly running: RunningStore | null;
  close(): Promise<void>;
  users: number;
}

/** How often a stack that runs is asked whether its owner is about to leave: it waits for those who are attached. */
const OWNER_EVERY_MS = 200;
/** A look is as good as new for so long, or for so many times what it took. */
const FRESH = { leastMs: 1_000, times: 10 };

export class Looks {
  private opened: Opened | null = null;
  private opening: Promise<Opened | null> | null = null;
  private last: Look = { sweeps: [], isRunning: false, notices: [] };
  private lookedOnce = false;
  private looking: Promise<Look> | null = null;
  private lookAfterMs = 0;
  /** A stack has gone since the last look: what it wrote last was not seen. */
  private missed = false;
  private readonly timer: NodeJS.Timeout;

  /** @param onLeave tells that the store goes; what still reads it is to stop */
  constructor(
    private readonly options: StoreOptions,
    private readonly log: (line: string) => void,
    private readonly onLeave: () => void,
  ) {
    this.timer = setInterval(() => {
      if (this.opened?.running?.ownerGone() === true) void this.leave();
    }, OWNER_EVERY_MS).unref();
  }

  /**
   * @param again whether to see what there is now even where nothing runs: a reader who opens a page
   * @throws RopesweepError at the first look, where a configured store does not answer
   */
  async look(again: boolean): Promise<Look> {
    const startedMs = Date.now();
    if (this.lookedOnce && startedMs < this.lookAfterMs) return this.last;
    this.looking ??= this.lookNow(again).finally(() => {
      this.lookAfterMs = Date.now() + Math.max(FRESH.leastMs, FRESH.times * (Date.now() - startedMs));
      this.looking = null;
    });
    return this.looking;
  }

  /** Reads the store, which stays open meanwhile. @returns null where nothing was ever run */
  async use<Result>(work: (open: OpenStore) => Promise<Result>): Promise<Result | null> {
    const opened = await this.openFor(true);
    return opened === null ? null : this.using(opened, work);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.leave();
  }

  private async lookNow(again: boolean): Promise<Look> {
    try {
      const opened = await this.openFor(again || this.missed || !this.lookedOnce);
      const sweeps = opened === null ? this.last.sweeps : await this.using(opened, ({ store }) => store.sweeps());
      if (opened !== null) this.missed = false;
      this.last = { sweeps, isRunning: opened !== null && opened.running !== null, notices: [] };
    } catch (error) {
      if (!(error instanceof RopesweepError) || (error.code !== 'STORE_LOST' && !(error.code === 'SERVER_UNREACHABLE' && this.lookedOnce))) throw error;
      this.last = { ...this.last, notices: ['PostgreSQL does not answer and is tried again: what is shown may be old.'] };
    }
    this.lookedOnce = true;
    return this.last;
  }

  /** @param evenAlone opens the embedded store for a moment where nothing runs */
  private async openFor(evenAlone: boolean): Promise<Opened | null> {
    if (this.opened?.running?.ownerGone() === true) await this.leave();
    if (this.opened !== null) return this.opened;
    const opened = await (this.opening ??= this.open(evenAlone).finally(() => (this.opening = null)));
    // Another reader may have asked for less.
    return opened === null && evenAlone ? this.open(true) : opened;
  }

  private async open(evenAlone: boolean): Promise<Opened | null> {
    const running = await attachRunningStore(this.options.home);
    if (running !== null) return this.keep(running.databaseUrl, running, () => running.close());
    const connection = evenAlone ? await openStoreConnection({ ...this.options, log: this.log }) : null;
    return connection === null ? null : this.keep(connection.databaseUrl, null, () => connection.close());
  }

  private async keep(databaseUrl: string, running: RunningStore | null, close: () => Promise<void>): Promise<Opened> {
    try {
      await migrate(databaseUrl);
      const store = await openStore(databaseUrl);
      this.opened = {
        store,
        databaseUrl,
        running,
        users: 0,
        close: async () => {
          await store.close();
          await close();
        },
      };
      return this.opened;
    } catch (error) {
      await close();
      throw error;
    }
  }

  private async using<Result>(opened: Opened, work: (open: OpenStore) => Promise<Result>): Promise<Result> {
    opened.users += 1;
    try {
      return await work(opened);
    } finally {
      opened.users -= 1;
      if (opened.running === null && opened.users === 0 && this.opened === opened) {
        this.opened = null;
        await opened.close();
      }
    }
  }

  private async leave(): Promise<void> {
    const { opened } = this;
    if (opened === null) return;
    this.opened = null;
    this.missed = true;
    this.lookAfterMs = 0;
    this.onLeave();
    await opened.close();
  }
}
