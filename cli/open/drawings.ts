/**
 * The newest drawing of each sweep. One is made when the sweep's counters have changed, by one thread for all, and takes at most
 * a fifth of a core: after one that took long there is a pause. Meanwhile the one before is shown.
 */
import { Worker } from 'node:worker_threads';
import { RopesweepError, type ErrorCode } from '../../domain/errors.js';
import { digest } from '../../domain/identity.js';
import type { SweepId } from '../../domain/ids.js';
import type { SweepStatus } from '../../domain/ports.js';
import { packageFile } from '../../infra/packageRoot.js';
import type { Drawing } from './drawing.js';
import type { Looks } from './looks.js';

/** What the thread is told, and what it says. */
export interface DrawingOrder {
  readonly databaseUrl: string;
  readonly sweep: SweepId;
}
export type DrawingAnswer = { readonly drawing: Drawing } | { readonly code: ErrorCode; readonly message: string };

/** After a drawing the next of the sweep begins so long after, or so many times what it took. */
const PAUSE = { leastMs: 1_000, times: 4 };
/** A thread that has nothing to draw for so long is ended: the rows of a large sweep leave a large heap. */
const IDLE_MS = 20_000;
/** Sweeps whose drawings are kept: of a large sweep one is some megabytes. */
const KEPT = 8;

/** What is known of a sweep's drawing. */
export interface Drawn {
  /** Digest of the counters that the drawing was made at. */
  readonly of: string;
  readonly drawing: Drawing | null;
  /** Why there is none. */
  readonly failure: string | null;
}

interface Entry {
  drawn: Drawn | null;
  pending: Promise<Drawn> | null;
  notBeforeMs: number;
}

interface Asked {
  readonly take: (answer: DrawingAnswer) => void;
  readonly fail: (error: Error) => void;
}

/** What a drawing depends on. */
const countersOf = ({ revision, state, reason, cells, updatedAt }: SweepStatus): string => digest([revision, state, reason, { ...cells }, updatedAt.toISOString()]);

export class Drawings {
  private readonly entries = new Map<SweepId, Entry>();
  private thread: Worker | null = null;
  private queue: Promise<unknown> = Promise.resolve();
  private idle: NodeJS.Timeout | undefined;
  /** Who waits for the thread. */
  private asked: Asked = { take: () => undefined, fail: () => undefined };

  constructor(private readonly looks: Pick<Looks, 'use'>) {}

  /** What there is, at once; begins a new one where the sweep has changed. `pending` resolves with it. */
  latest(status: SweepStatus): { readonly drawn: Drawn | null; readonly pending: Promise<Drawn> | null } {
    const entry = this.entryOf(status.sweep);
    if (entry.pending === null && entry.drawn?.of !== countersOf(status) && Date.now() >= entry.notBeforeMs) void this.begin(status, entry);
    return { drawn: entry.drawn, pending: entry.pending };
  }

  /** One that is as new as the counters. */
  async fresh(status: SweepStatus): Promise<Drawn> {
    const entry = this.entryOf(status.sweep);
    if (entry.pending !== null) await entry.pending;
    return entry.drawn?.of === countersOf(status) ? entry.drawn : (entry.pending ?? this.begin(status, entry));
  }

  /** Ends what is being drawn: the store goes. */
  async interrupt(): Promise<void> {
    const ended = this.endThread();
    this.asked.fail(new RopesweepError('STORE_LOST', { where: 'report', what: 'the command that ran the stack has ended' }));
    await ended;
  }

  private async endThread(): Promise<void> {
    clearTimeout(this.idle);
    const { thread } = this;
    this.thread = null;
    await thread?.terminate();
  }

  private entryOf(sweep: SweepId): Entry {
    const entry = this.entries.get(sweep) ?? { drawn: null, pending: null, notBeforeMs: 0 };
    // The least recently used one is the first.
    this.entries.delete(sweep);
    this.entries.set(sweep, entry);
    for (const [other, { pending }] of this.entries) {
      if (this.entries.size <= KEPT) break;
      if (pending === null && other !== sweep) this.entries.delete(other);
    }
    return entry;
  }

  private begin(status: SweepStatus, entry: Entry): Promise<Drawn> {
    const startedMs = Date.now();
    const of = countersOf(status);
    entry.pending = this.order(status.sweep)
      .then(
        (drawing): Drawn => ({ of, drawing, failure: null }),
        (error: unknown): Drawn => {
          // What the stack took along is drawn again when the store is back.
          const isLost = error instanceof RopesweepError && error.code === 'STORE_LOST';
          return { of: isLost ? '' : of, drawing: entry.drawn?.drawing ?? null, failure: isLost ? null : failureText(error) };
        },
      )
      .then((drawn) => (entry.drawn = drawn))
      .finally(() => {
        entry.pending = null;
        entry.notBeforeMs = Date.now() + Math.max(PAUSE.leastMs, PAUSE.times * (Date.now() - startedMs));
      });
    return entry.pending;
  }

  private order(sweep: SweepId): Promise<Drawing> {
    const drawing = this.queue.then(() => this.looks.use(({ databaseUrl }) => this.ask({ databaseUrl, sweep })));
    this.queue = drawing
      .catch(() => undefined)
      .then(() => {
        clearTimeout(this.idle);
        this.idle = setTimeout(() => void this.endThread(), IDLE_MS).unref();
      });
    return drawing.then((made) => {
      if (made === null) throw new RopesweepError('SWEEP_UNKNOWN', { where: sweep, what: 'the store is gone' });
      return made;
    });
  }

  /** One at a time: orders stand in the queue. */
  private ask(order: DrawingOrder): Promise<Drawing> {
    clearTimeout(this.idle);
    this.thread ??= this.start();
    const { thread } = this;
    return new Promise<Drawing>((resolve, reject) => {
      this.asked = {
        fail: reject,
        take: (answer) => {
          if ('drawing' in answer) resolve(answer.drawing);
          else reject(new RopesweepError(answer.code, { where: order.sweep, what: answer.message }));
        },
      };
      thread.postMessage(order);
    });
  }

  private start(): Worker {
    const thread = new Worker(packageFile('dist', 'cli', 'open', 'drawingThread.js'));
    const ended = (error: Error): void => {
      if (this.thread !== thread) return;
      this.thread = null;
      this.asked.fail(error);
    };
    thread.on('message', (answer: DrawingAnswer) => this.asked.take(answer));
    thread.on('error', ended);
    thread.on('exit', (code) => ended(new RopesweepError('INTERNAL', { where: 'report', what: `the thread that draws it ended (${code})` })));
    return thread;
  }
}

const failureText = (error: unknown): string => {
  const isMemory = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return isMemory ? 'it does not fit into the memory of this process (raise it with NODE_OPTIONS=--max-old-space-size=MEGABYTES)' : error instanceof Error ? error.message : String(error);
};
