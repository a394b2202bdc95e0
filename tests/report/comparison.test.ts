import { describe, expect, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import { id, type CellKey, type SweepId } from '../../domain/ids.js';
import type { SweepRows } from '../../domain/rows.js';
import { compare } from '../../report/comparison/comparison.js';
import { pairedDifference } from '../../report/comparison/difference.js';
import { comparisonJson } from '../../report/comparison/json.js';
import { sideName, sideOf } from '../../report/comparison/side.js';
import { specDifferences } from '../../report/comparison/specDifferences.js';
import { comparisonLines } from '../../report/terminal/comparisonLines.js';
import { noCells, nothingMeasured, NTK, oneArm, PI, sweepRows, tenArms, YARN } from './fixtures.js';
import { sourceOf } from './source.js';

const SEEDS = [1, 2, 3, 4, 5, 6];
/** yarn and ntk; `entropy` is added to every cell's, `fails` are lengths at which nothing passes. */
const two = (name: string, { entropy = 0, fails = [] as readonly number[], seeds = SEEDS } = {}): SweepRows => ({
  ...sweepRows({
    arms: [{ method: YARN, continued: null, passesUpTo: 512 }, { method: NTK, continued: 256, passesUpTo: 512 }],
    contexts: [128, 256, 512],
    depths: [0, 1],
    seeds,
    change: (cell) =>
      cell.needle === null
        ? cell
        : { ...cell, key: id<CellKey>(digest([name, cell.key])), needle: { ...cell.needle, exactMatch: !fails.includes(cell.contextTokens), entropy: 2 + entropy + 0.1 * cell.seed, entropyFirst: 1 } },
  }),
  sweep: id<SweepId>(name),
});
const both = async (a: SweepRows, b: SweepRows, arms: readonly [string | null, string | null] = [null, null]) => compare(await sideOf(sourceOf(a), arms[0]), await sideOf(sourceOf(b), arms[1]));

describe('two sweeps side by side', () => {
  it('pair their cells: recall, entropy and reach of the same arms', async () => {
    const { arms, onlyA, onlyB } = await both(two('a'), two('b', { entropy: 0.5, fails: [512] }));
    expect(arms.map(({ a, b }) => [a.label, b.label])).toEqual([['yarn 8, not continued', 'yarn 8, not continued'], ['ntk 8, continued at 256', 'ntk 8, continued at 256']]);
    expect([onlyA, onlyB]).toEqual([[], []]);
    const [needle] = arms[0]?.needle ?? [];
    expect([needle?.reach.a?.contextTokens, needle?.reach.b?.contextTokens]).toEqual([512, 256]);
    expect(needle?.recall).toMatchObject({ a: 1, b: expect.closeTo(2 / 3, 12) as number, difference: expect.closeTo(-1 / 3, 12) as number, pairs: 36, clusters: 6 });
    expect(needle?.entropy?.difference).toBeCloseTo(0.5, 12);
    // Every pair differs by as much, however its seeds differ among themselves.
    expect(needle?.entropy?.interval?.low).toBeCloseTo(0.5, 12);
    expect(needle?.entropy?.interval?.high).toBeCloseTo(0.5, 12);
    expect(needle?.byLength.map(({ contextTokens, recall }) => [contextTokens, recall?.difference])).toEqual([[128, 0], [256, 0], [512, -1]]);
    expect(needle).toMatchObject({ source: 'entropy', sameMeasurements: 0, samePrompts: false });
  });

  it('compare only cells that both have, and say how many', async () => {
    const [needle] = (await both(two('a'), two('b', { seeds: [5, 6, 7] }))).arms[0]?.needle ?? [];
    expect(needle?.recall).toMatchObject({ pairs: 12, clusters: 2, interval: null });
    const apart = (await both(two('a'), two('b', { seeds: [7, 8] }))).arms[0]?.needle[0];
    expect(apart).toMatchObject({ recall: null, entropy: null });
    expect(apart?.reach.a?.contextTokens).toBe(512);
  });

  it('know a cell that is one measurement', async () => {
    const rows = two('a');
    expect((await both(rows, rows)).arms[0]?.needle[0]).toMatchObject({ sameMeasurements: 36, recall: { difference: 0 }, entropy: { difference: 0 } });
  });

  it('match arms by label, then by method and length, and tell which have no partner', async () => {
    const { arms, onlyA, onlyB } = await both(tenArms(), sweepRows({ arms: [{ method: PI, continued: 256, passesUpTo: 128 }, { method: { name: 'ntk', factor: 99 }, continued: null, passesUpTo: 64 }], contexts: [128], depths: [0], seeds: [1] }));
    expect(arms.map(({ a }) => a.label)).toEqual(['pi 8, continued at 256']);
    expect([onlyA.length, onlyB.map(({ label }) => label)]).toEqual([9, ['ntk 99, not continued']]);
    const renamed = two('b');
    const labelled = { ...renamed, arms: renamed.arms.map((arm) => ({ ...arm, label: `other: ${arm.label}` })) };
    expect((await both(two('a'), labelled)).arms).toHaveLength(2);
  });

  it('compare two arms that are named, whatever they are, of one sweep too', async () => {
    const rows = two('a');
    const { arms, onlyA, onlyB } = await both(rows, rows, ['yarn 8, not continued', 'ntk 8, continued at 256']);
    expect(arms.map(({ a, b, sameWeights, sameMethod }) => [a.methodLabel, b.methodLabel, sameWeights, sameMethod])).toEqual([['yarn 8', 'ntk 8', false, false]]);
    expect([onlyA, onlyB]).toEqual([[], []]);
  });

  it('refuse an arm that is not there, and sides of which no arms belong together', async () => {
    await expect(sideOf(sourceOf(two('a')), 'yarn 9')).rejects.toThrow('it has "yarn 8, not continued", "ntk 8, continued at 256"');
    await expect(both(two('a'), sweepRows({ arms: [{ method: PI, continued: null, passesUpTo: 64 }], contexts: [128], depths: [0], seeds: [1] }))).rejects.toThrow('no arms belong together');
    await expect(both(noCells(), two('a'))).rejects.toThrow('no arms belong together');
  });

  it('are whole where nothing is measured', async () => {
    const comparison = await both(nothingMeasured(), oneArm());
    expect(comparison.arms[0]?.needle[0]).toMatchObject({ recall: null, entropy: null, reach: { a: null } });
    expect(comparisonLines(comparison, { columns: 80, color: 'none', ascii: true }).join('\n')).toContain('Needle: reach');
  });

  it('fit into the terminal and into JSON', async () => {
    const comparison = await both(two('a'), two('b', { entropy: 0.5, fails: [512] }));
    for (const columns of [80, 100]) {
      const lines = comparisonLines(comparison, { columns, color: 'none', ascii: false });
      expect(lines.filter((line) => line.length > columns)).toEqual([]);
      expect(lines.join('\n')).toContain('a: a, revision 1, done; b: b, revision 1, done; 2 pairs of arms');
    }
    const wide = comparisonLines(comparison, { columns: 140, color: 'none', ascii: false }).join('\n');
    expect(wide).toMatch(/yarn 8, not continued +>= 512 \(12\/12\) +256 \(12\/12\) +-0\.33 \[-0\.33, -0\.33\] +\+0\.500 \[\+0\.500, \+0\.500\] +36/);
    const json = JSON.parse(JSON.stringify(comparisonJson(comparison))) as ReturnType<typeof comparisonJson>;
    expect(json.arms.map(({ a }) => a.arm)).toHaveLength(2);
    expect(json.a).toMatchObject({ sweep: 'a', revision: 1 });
  });
});

describe('the mean of paired differences', () => {
  it('weighs pairs, and draws whole clusters', () => {
    const pairs = Array.from({ length: 6 }, (_, cluster) => ({ a: 0, b: cluster, cluster, weight: cluster === 5 ? 5 : 1 }));
    const found = pairedDifference(pairs, 'test');
    expect(found?.difference).toBeCloseTo((0 + 1 + 2 + 3 + 4 + 25) / 10, 12);
    expect(found?.interval?.low).toBeLessThan(found?.difference ?? 0);
    expect(pairedDifference(pairs, 'test')).toEqual(found);
  });
  it('is nothing of no pairs', () => expect(pairedDifference([], 'test')).toBeNull());
});

describe('what differs between sweep files', () => {
  it('is told by path: lists of plain values whole, lists of parts one by one', () => {
    const a = { name: 'a', contextTokens: [128, 256], methods: [{ name: 'yarn', factor: 8 }], deviceClass: 'cpu' };
    const b = { name: 'b', contextTokens: [128, 512], methods: [{ name: 'yarn', factor: 4 }, { name: 'pi', factor: 4 }], deviceClass: 'cpu' };
    expect(specDifferences(a, b)).toEqual([
      { path: 'contextTokens', a: '[128,256]', b: '[128,512]' },
      { path: 'methods[0].factor', a: '8', b: '4' },
      { path: 'methods[1]', a: null, b: '{"name":"pi","factor":4}' },
    ]);
    expect(specDifferences(a, a)).toEqual([]);
  });
});

it('a side is a sweep, or a sweep and the label of an arm, which may hold a colon', () => {
  expect([sideName('demo'), sideName('demo:yarn 8'), sideName('demo:one: yarn 8')]).toEqual([{ sweep: 'demo', arm: null }, { sweep: 'demo', arm: 'yarn 8' }, { sweep: 'demo', arm: 'one: yarn 8' }]);
});
