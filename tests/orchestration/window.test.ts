import { describe, expect, it } from 'vitest';
import { id, type ShardId } from '../../domain/ids.js';
import type { Page, ShardEnd, ShardStart } from '../../domain/orchestration.js';
import { Window } from '../../workflows/window.js';

const shards = (queue: string, count: number, from = 0): ShardStart[] =>
  Array.from({ length: count }, (_, index) => ({ shard: id<ShardId>(`${queue}-${String(from + index)}`), evaluationQueue: queue, crashes: 0 }));
const page = (concurrency: number, ...of: readonly ShardStart[][]): Page => ({
  control: { state: 'running', concurrency, priority: 3, maximumAttempts: 3, spent: null },
  shards: of.flat(),
  canary: false,
});
const done = (shard: string): ShardEnd => ({ shard: id<ShardId>(shard), state: 'done', failure: null });
const names = (starting: readonly ShardStart[]): string[] => starting.map(({ shard }) => shard);

function opened(first: Page): Window {
  const window = new Window();
  window.news = false;
  window.take(first);
  return window;
}

describe('the window of a sweep of two device classes', () => {
  it('gives each half while both have shards, so that neither waits for workers of the other', () => {
    const window = opened(page(4, shards('large', 8), shards('small', 8)));
    expect(names(window.start())).toEqual(['large-0', 'large-1', 'small-0', 'small-1']);
    // Nobody serves the larger class: its places are not added to.
    for (const [end, next] of [['small-0', 'small-2'], ['small-1', 'small-3'], ['small-2', 'small-4']] as const) {
      window.ended(done(end));
      expect(window.wantsPage).toBe(false);
      expect(names(window.start())).toEqual([next]);
    }
  });

  it('asks for no page while one of the page may be started, and for one when none may', () => {
    const window = opened(page(4, shards('large', 2), shards('small', 3)));
    window.start();
    window.ended(done('small-0'));
    expect([window.wantsPage, names(window.start())]).toEqual([false, ['small-2']]);
    window.ended(done('small-1'));
    expect(window.wantsPage).toBe(true);
  });

  it('is all of the class that alone has shards left', () => {
    const window = opened(page(4, shards('large', 4), shards('small', 2)));
    expect(window.start()).toHaveLength(4);
    for (const end of ['small-0', 'small-1']) window.ended(done(end));
    expect(window.wantsPage).toBe(true);
    window.take(page(4, shards('large', 5, 2)));
    expect(names(window.start())).toEqual(['large-2', 'large-3']);
    window.ended(done('large-0'));
    expect([window.wantsPage, names(window.start())]).toEqual([false, ['large-4']]);
  });

  it.each([1, 2, 3, 5])('is full at %i and no more than that, whatever the shares', (concurrency) => {
    const window = opened(page(concurrency, shards('large', 9), shards('small', 9)));
    expect(window.start()).toHaveLength(concurrency);
    expect([window.room, window.wantsPage]).toEqual([0, false]);
  });
});
