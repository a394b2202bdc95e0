import { describe, expect, it } from 'vitest';
import { chosenChunk, chunkSizes, FEWEST_ROWS, isExact, LONGEST_CHUNK } from '../../evaluation/chunks.js';

const HEAD_SIZES = [16, 24, 32, 64, 80, 96, 128, 256];
const COUNTS = [...Array.from({ length: 200 }, (_, index) => index + 2), 1023, 1024, 1025, 1026, 2047, 2048, 2049, 5001, 16_384, 131_071, 131_072];
const cuts = HEAD_SIZES.flatMap((headSize) =>
  COUNTS.flatMap((count) =>
    [0, 1, 4, 33, 64].filter((rows) => rows <= count).flatMap((rows) =>
      [2, 3, 7, 256, LONGEST_CHUNK].filter((longest) => count < 1500 * longest).map((longest) => ({ headSize, count, rows, longest, sizes: chunkSizes(count, { headSize, rows, longest }) })),
    ),
  ),
);
const cut = cuts.flatMap((one) => (one.sizes === null ? [] : [{ ...one, sizes: one.sizes }]));

describe('chunks', () => {
  it('hold every token once, and the last one all rows asked for', () => {
    expect(cut.filter(({ count, sizes }) => sizes.reduce((sum, size) => sum + size, 0) !== count)).toEqual([]);
    expect(cut.filter(({ rows, sizes }) => (sizes.at(-1) ?? 0) < rows)).toEqual([]);
  });

  it('never leave one row over: alone, or behind the blocks of 2 headSize queries that attention takes', () => {
    expect(cut.filter(({ headSize, sizes }) => sizes.some((size) => size < FEWEST_ROWS || size % (2 * headSize) === 1))).toEqual([]);
  });

  it('never leave one row over on machines whose L2 cache makes the blocks smaller', () => {
    // 256 KiB and 512 KiB beside heads of 96: blocks of 85 and 170 queries.
    expect(cut.filter(({ headSize, sizes }) => headSize === 96 && sizes.some((size) => size % 85 === 1 || size % 170 === 1))).toEqual([]);
  });

  it('are no longer than said, but where rows ask for it or one token would be left over', () => {
    expect(cut.filter(({ rows, longest, sizes }) => Math.max(...sizes) > Math.max(longest, rows, FEWEST_ROWS) + 1)).toEqual([]);
  });

  it('are found wherever a few tokens come before the rows asked for', () => {
    expect(cuts.filter(({ count, rows, longest, sizes }) => sizes === null && longest > 2 && count - rows > 3)).toEqual([]);
  });

  it('are even: no small one is left at the end', () => {
    expect(chunkSizes(1100, { headSize: 64, rows: 4, longest: LONGEST_CHUNK })).toEqual([550, 550]);
    expect(chunkSizes(16_384, { headSize: 64, rows: 4, longest: LONGEST_CHUNK })).toEqual(Array.from({ length: 16 }, () => LONGEST_CHUNK));
    expect(chunkSizes(129, { headSize: 64, rows: 4, longest: LONGEST_CHUNK })).toEqual([125, 4]);
    expect(isExact(129, 64)).toBe(false);
  });

  it('are shorter where the attention kernel takes as many keys at once as the longest has', () => {
    const of = (headSize: number, mebibytes: number): number => chosenChunk(headSize, mebibytes * 2 ** 20);
    expect([of(64, 1), of(64, 2), of(32, 1), of(128, 2), of(128, 4)]).toEqual([1024, 512, 512, 1024, 512]);
    expect(chosenChunk(64, null)).toBe(1024);
  });
});
