/**
 * The window of a sweep: which shards are in flight, which may be started next, and what the store said last.
 */
import type { ShardId } from '../domain/ids.js';
import type { Failure, Page, ShardEnd, ShardStart, SweepControl } from '../domain/orchestration.js';

export class Window {
  readonly open: Set<ShardId>;
  control: SweepControl | null = null;
  /** The store is to be asked, whether there is room or not. */
  news = true;
  /** How often somebody said that the store has news. */
  timesTold = 0;
  private page: ShardStart[] = [];
  /** The last answer held shards of two device classes: each then has half of the window, so that neither stands behind shards that wait for workers of the other. */
  private isShared = false;
  /** Of shards in flight that this run of the workflow started. */
  private readonly queueOf = new Map<ShardId, string>();
  /** The last answer held shards: there may be more. */
  private more = true;
  /** Canaries by how they ended; null while they run. */
  private readonly canaries = new Map<ShardId, ShardEnd | null>();

  constructor(open: Iterable<ShardId> = []) {
    this.open = new Set(open);
  }

  /** Shards that may be started beside those in flight. */
  get room(): number {
    return (this.control?.concurrency ?? 0) - this.open.size;
  }

  get wantsPage(): boolean {
    return this.news || (this.more && this.room > 0 && !this.page.some((shard) => this.fits(shard)));
  }

  /** Nothing is in flight, and the store has nothing to start. */
  get drained(): boolean {
    return this.open.size === 0 && this.page.length === 0 && !this.more;
  }

  tell(): void {
    this.news = true;
    this.timesTold += 1;
  }

  take({ control, shards, canary }: Page): void {
    this.control = control;
    // A window with room for one tries one canary after the other.
    const waiting = canary ? [] : this.page.filter(({ shard }) => this.isPending(shard));
    const others = shards.filter(({ shard }) => !this.open.has(shard) && !waiting.some((one) => one.shard === shard));
    this.page = [...waiting, ...others];
    this.more = shards.length > 0;
    this.isShared = new Set(shards.map(({ evaluationQueue }) => evaluationQueue)).size > 1;
    if (canary) for (const { shard } of this.page) this.canaries.set(shard, null);
  }

  /** What is to be started now, counted among those in flight from here on. */
  start(): ShardStart[] {
    const { control } = this;
    if (control?.state !== 'running' || control.spent !== null) return [];
    const starting: ShardStart[] = [];
    for (const shard of this.page) {
      if (this.room <= 0) break;
      if ((this.gateIsClosed && !this.isPending(shard.shard)) || !this.fits(shard)) continue;
      starting.push(shard);
      this.open.add(shard.shard);
      this.queueOf.set(shard.shard, shard.evaluationQueue);
    }
    this.page = this.page.filter((shard) => !starting.includes(shard));
    return starting;
  }

  /** Whether the class of a shard has room, if there is any. */
  private fits({ evaluationQueue }: ShardStart): boolean {
    if (!this.isShared) return true;
    const inFlight = [...this.open].filter((shard) => this.queueOf.get(shard) === evaluationQueue).length;
    return inFlight < Math.ceil((this.control?.concurrency ?? 0) / 2);
  }

  ended(end: ShardEnd): void {
    this.open.delete(end.shard);
    this.queueOf.delete(end.shard);
    if (this.canaries.has(end.shard)) this.canaries.set(end.shard, end);
    // A shard that failed may have spent the budget; one that was cut in two or handed cells on left new ones.
    if (end.failure !== null || end.state !== 'done') this.news = true;
  }

  /** Shards that nothing works on any more. */
  drop(gone: readonly ShardId[]): void {
    for (const shard of gone) {
      this.open.delete(shard);
      this.queueOf.delete(shard);
      this.canaries.delete(shard);
    }
    if (gone.length > 0) this.news = true;
  }

  /** Whether it is a canary that did not end yet. */
  private isPending(shard: ShardId): boolean {
    return this.canaries.get(shard) === null;
  }

  get pendingCanaries(): ShardId[] {
    return [...this.canaries].filter(([, end]) => end === null).map(([shard]) => shard);
  }

  /** Nothing but canaries is to be started: one of them has not ended, and none went well yet. */
  private get gateIsClosed(): boolean {
    return this.pendingCanaries.length > 0 && ![...this.canaries.values()].some((end) => end?.state === 'done' && end.failure === null);
  }

  /** What both canaries failed of, if it was the same. */
  get commonFailure(): Failure | null {
    const [first, ...others] = [...this.canaries.values()].map((end) => end?.failure ?? null);
    if (first === undefined || first === null || others.length === 0) return null;
    return others.every((failure) => failure !== null && sameFailure(first, failure)) ? first : null;
  }
}

/** Process ids, counts and addresses do not make another failure. */
const sameFailure = (a: Failure, b: Failure): boolean => a.code === b.code && withoutNumbers(a.reason) === withoutNumbers(b.reason);
const withoutNumbers = (text: string): string => text.replace(/0x[0-9a-f]+|[0-9a-f]{12,}|\d+/gi, '#');
