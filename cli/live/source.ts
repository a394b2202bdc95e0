/**
 * Looks at the store for as long as it takes: the configured one, or that of the stack which runs in the home, whoever starts
 * and stops it meanwhile. It keeps no stack open itself, so that nobody has to wait for somebody who only looks.
 */
import { RopesweepError } from '../../domain/errors.js';
import { id, type ArmId, type ShardId, type SweepId } from '../../domain/ids.js';
import type { LiveView } from '../../domain/live.js';
import { isEnded, type ShardState } from '../../domain/states.js';
import { attachRunningStore, type RunningStore } from '../../infra/connections.js';
import { homePath } from '../../infra/embedded/homeFolder.js';
import { migrate } from '../../results/migrate.js';
import { openStore, type PrismaStore } from '../../results/store.js';
import { withStoreIfAny, type StoreOptions } from '../store.js';
import type { Frame } from './frame.js';
import { RateMeter, type Rates } from './rates.js';

/** Recall reads every cell that ended: after it took so long, it is asked again after so many times that, and not sooner than this. */
const RECALL_PAUSE = { times: 50, leastMs: 3_000 };

interface Open {
  readonly running: RunningStore;
  readonly store: PrismaStore;
}

export class LiveSource {
  private open: Open | null = null;
  private lookedOnce = false;
  private view: LiveView | null = null;
  private goneSinceMs: number | null = null;
  /** Whether a store was ever open for longer than a moment. */
  everOpen = false;
  /** Why nothing new is seen. */
  private away: string | null = null;
  private readonly meter = new RateMeter();
  private rates = new Map<SweepId, Rates>();
  private recalls = new Map<ArmId, number>();
  private recallOf: SweepId | null = null;
  private recallAfterMs = 0;
  private recallAsked: Promise<void> | null = null;

  constructor(private readonly options: StoreOptions) {}

  /**
   * How everything stands, or stood when it could last be seen.
   *
   * @throws RopesweepError SERVER_UNREACHABLE at the first look at a configured store, CONFIG_INVALID, STACK_LOCKED
   */
  async look(sweep: SweepId | null): Promise<Frame> {
    try {
      this.open ??= await this.attach();
      if (this.open !== null) await this.seeOpen(this.open, sweep);
      else await this.seeClosed(sweep);
    } catch (error) {
      if (!(error instanceof RopesweepError) || !(error.code === 'STORE_LOST' || (error.code === 'SERVER_UNREACHABLE' && this.lookedOnce))) throw error;
      // A supervisor brings an embedded PostgreSQL back; whoever owns it may also have taken it along.
      if (this.open?.running.ownerGone() === true) await this.leave();
      this.away = 'PostgreSQL does not answer and is tried again';
    }
    this.lookedOnce = true;
    const seen = this.view === null ? '' : `; shown as of ${clockText(this.view.at)}`;
    const stale = this.away === null ? null : `${this.away}${seen}`;
    return { view: this.view, rates: this.rates, recalls: this.recalls, source: this.sourceText(), stale };
  }

  /** The sweep that the stack runs for while the store does not know it yet, or only as it ended before. */
  get starting(): SweepId | null {
    const owner = this.open?.running.owner;
    if (owner?.sweep == null) return null;
    const known = this.view?.sweeps.find(({ sweep }) => sweep === owner.sweep);
    const isOld = known === undefined || (isEnded(known.state) && known.updatedAt.getTime() < Date.parse(owner.startedAt));
    return isOld ? id<SweepId>(owner.sweep) : null;
  }

  /** Recall of what was seen last, and not of a few seconds before. */
  async lastRecalls(): Promise<Frame['recalls']> {
    await this.recallAsked;
    this.recallAfterMs = 0;
    if (this.open !== null) this.askRecall(this.open.store);
    await this.recallAsked;
    return this.recalls;
  }

  /** How long no stack has run here, in milliseconds; null while a store is open, or a configured one is tried again. */
  get goneMs(): number | null {
    return this.goneSinceMs === null ? null : Date.now() - this.goneSinceMs;
  }

  /** The states of shards that are no longer running; none while the store is away. */
  async shardStates(shards: readonly ShardId[]): Promise<ReadonlyMap<ShardId, ShardState>> {
    if (this.open === null || shards.length === 0) return new Map();
    return this.open.store.shardStates(shards).catch(() => new Map<ShardId, ShardState>());
  }

  async close(): Promise<void> {
    await this.leave();
  }

  private async attach(): Promise<Open | null> {
    const running = await attachRunningStore(this.options.home);
    if (running === null) return null;
    try {
      await migrate(running.databaseUrl);
      return { running, store: await openStore(running.databaseUrl) };
    } catch (error) {
      await running.close();
      throw error;
    }
  }

  private async leave(): Promise<void> {
    const { open } = this;
    this.open = null;
    await open?.store.close();
    await open?.running.close();
  }

  private async seeOpen({ running, store }: Open, sweep: SweepId | null): Promise<void> {
    this.goneSinceMs = null;
    this.everOpen = true;
    // An owner that is about to leave waits for this look, the last one.
    const gone = running.ownerGone();
    this.see(await store.live(sweep));
    this.away = null;
    this.askRecall(store);
    if (!gone) return;
    await this.lastRecalls();
    await this.leave();
    this.away = 'the command that ran the stack has ended';
  }

  /** Nobody runs a stack here: the store is opened once, for a moment, to show what there is. */
  private async seeClosed(sweep: SweepId | null): Promise<void> {
    this.goneSinceMs ??= Date.now();
    if (!this.lookedOnce) {
      await withStoreIfAny(this.options, async (store) => {
        this.see(await store.live(sweep));
        this.askRecall(store);
        await this.recallAsked;
      });
    }
    if (this.everOpen) this.away = 'the command that ran the stack has ended';
    else this.away = this.view === null ? 'nothing runs here: no sweep was ever run' : 'nothing runs here';
  }

  private see(view: LiveView): void {
    this.view = view;
    this.rates = new Map(view.sweeps.flatMap((row) => (row.work === null ? [] : [[row.sweep, this.meter.measure(row, row.work, view.at)] as const])));
  }

  private askRecall(store: PrismaStore): void {
    const detail = this.view?.detail;
    if (detail == null) return;
    if (this.recallOf !== detail.sweep) {
      this.recalls = new Map();
      this.recallOf = detail.sweep;
      this.recallAfterMs = 0;
    }
    const startedMs = Date.now();
    if (this.recallAsked !== null || startedMs < this.recallAfterMs) return;
    const { sweep } = detail;
    this.recallAsked = store
      .armRecalls(sweep)
      .then((rows) => {
        if (this.recallOf === sweep) this.recalls = new Map(rows.map(({ arm, recall }) => [arm, recall]));
      })
      // The next look says that the store is lost.
      .catch(() => undefined)
      .finally(() => {
        const tookMs = Date.now() - startedMs;
        this.recallAfterMs = Date.now() + Math.max(RECALL_PAUSE.leastMs, RECALL_PAUSE.times * tookMs);
        this.recallAsked = null;
      });
  }

  private sourceText(): string {
    if (this.open === null) return homePath(this.options.home);
    const { owner } = this.open.running;
    return owner === null ? 'DATABASE_URL' : `stack of process ${owner.pid}`;
  }
}

const clockText = (at: Date): string => at.toTimeString().slice(0, 8);
