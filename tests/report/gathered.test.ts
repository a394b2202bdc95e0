import { describe, expect, it } from 'vitest';
import { isNeedleRow, type NeedleScoreRow, type SweepRows } from '../../domain/rows.js';
import { gather } from '../../report/gathered.js';
import { renderHtml } from '../../report/html/report.js';
import { NeedleCells } from '../../report/needleCells.js';
import { everyState, oneArm, tenArms } from './fixtures.js';
import { gathered, sourceOf } from './source.js';

const scoresOf = ({ cells }: SweepRows): NeedleScoreRow[] => cells.filter(isNeedleRow).map(({ measured, ...cell }) => ({ ...cell, fingerprint: measured?.fingerprint ?? null }));

describe('a sweep that is gathered page by page', () => {
  it.each([['ten arms', tenArms()], ['every state', everyState()]])('gives the same report however large the pages: %s', async (_name, rows) => {
    const source = sourceOf(rows);
    const inPagesOfThree = {
      ...source,
      // eslint-disable-next-line @typescript-eslint/require-await
      async *needleScores() {
        const scores = scoresOf(rows);
        for (let from = 0; from < scores.length; from += 3) yield scores.slice(from, from + 3);
      },
    };
    expect((await renderHtml(await gather(inPagesOfThree))) === (await renderHtml(await gathered(rows)))).toBe(true);
  });

  it('keeps of a needle cell what was read, number by number', async () => {
    const rows = everyState();
    const [cells] = (await gathered(rows)).needles;
    expect([...(cells ?? [])].map(({ contextTokens, depth, seed, state, origin, needle }) => [contextTokens, depth, seed, state, origin, needle?.entropy ?? null, needle?.entropyFirst ?? null, needle?.score ?? null])).toEqual(
      rows.cells.filter(isNeedleRow).map(({ contextTokens, depth, seed, state, origin, needle }) => [contextTokens, depth, seed, state, origin, needle?.entropy ?? null, needle?.entropyFirst ?? null, needle === null ? null : Number(needle.exactMatch)]),
    );
  });

  it('takes about fifty bytes a needle cell', () => {
    const page = scoresOf(oneArm({ contexts: [64, 128, 256, 512], depths: [0, 0.5], seeds: Array.from({ length: 500 }, (_, seed) => seed) }));
    const [first] = page;
    if (first === undefined) throw new Error('the fixture has cells');
    const cells = new NeedleCells(first.armId, 0, 'exactMatch');
    const before = process.memoryUsage().arrayBuffers;
    for (let pages = 0; pages < 25; pages += 1) cells.add(page);
    expect((process.memoryUsage().arrayBuffers - before) / (25 * page.length)).toBeLessThan(60);
    expect([...cells]).toHaveLength(100_000);
  });

  it('reads the arms that are asked for, and no others', async () => {
    const rows = tenArms();
    const [, second] = rows.arms;
    if (second === undefined) throw new Error('the fixture has ten arms');
    const one = await gather(sourceOf(rows), { arms: [second.id] });
    expect(one.needles.map(({ armId }) => armId)).toEqual([second.id]);
    expect(one.states.measured).toBe(rows.cells.filter(({ armId }) => armId === second.id).length);
  });

  it('counts every cell that has no numbers, and names the first fifty of a reason', async () => {
    const rows = oneArm({ seeds: [1, 2, 3, 4], change: (cell) => ({ ...cell, state: 'failed', needle: null, measured: null, reason: 'it died' }) });
    const { outcomes } = await gathered(rows);
    expect(outcomes.map(({ state, reason, cells, listed }) => [state, reason, cells, listed.length])).toEqual([['failed', 'it died', 120, 50]]);
    expect(await renderHtml(await gathered(rows))).toContain('and 70 more: see ropesweep export fixture');
  });
});
