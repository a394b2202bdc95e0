import { describe, expect, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import { id, type CellKey } from '../../domain/ids.js';
import type { AttentionNumbers } from '../../domain/measurement.js';
import type { AttentionCellRow, SweepRows } from '../../domain/rows.js';
import { curvePoints } from '../../report/attentionCurve.js';
import { distributionCharts } from '../../report/attentionDistributions.js';
import { attentionTables } from '../../report/attentionRows.js';
import { renderHtml } from '../../report/html/report.js';
import { reportJson } from '../../report/json.js';
import { renderTerminal } from '../../report/terminal/report.js';
import { oneArm, noCells } from './fixtures.js';
import { gathered } from './source.js';

const heads = (...values: number[]): string => Buffer.from(Float32Array.from(values).buffer).toString('base64');

const numbers = (entropy: number, own: readonly number[], perHead: string | null): AttentionNumbers => ({
  layers: 1,
  headCount: 2,
  documents: 10,
  rows: 64,
  distributions: [{ axis: 'fraction', bins: 2, mean: own, heads: perHead }],
  entropy,
  entropyNormalized: 0.5,
  sinkMass: 0.25,
  tokenDigest: digest('tokens'),
});

/** One arm at 64 (the reference), 128 and 256 tokens; the last is not measured. */
function attentionSweep(): SweepRows {
  const base = oneArm({ contexts: [64], depths: [0], seeds: [1] });
  const [arm] = base.arms;
  if (arm === undefined) throw new Error('the fixture has an arm');
  const cell = (contextTokens: number, attention: AttentionNumbers | null): AttentionCellRow => ({
    key: id<CellKey>(digest(['attention', contextTokens])),
    armId: arm.id,
    task: 0,
    taskKind: 'attention',
    contextTokens,
    state: attention === null ? 'infeasible' : 'measured',
    origin: 'grid',
    reason: attention === null ? 'too large' : null,
    attention,
    measured: null,
  });
  return {
    ...base,
    tasks: [{
      kind: 'attention',
      documents: [],
      documentsDigest: digest('documents'),
      tokenizerDigest: 'none',
      rows: 64,
      axes: ['fraction'],
      references: [{ method: arm.method.name, continualPretrainContextTokens: arm.continualPretrainContextTokens, contextTokens: 64 }],
      probes: 'heads',
    }],
    cells: [cell(64, numbers(1.25, [0.5, 0.5], heads(1, 0, 0, 1))), cell(128, numbers(2.5, [0.5, 0.5], heads(0, 1, 1, 0))), cell(256, null)],
  };
}

describe('attention in reports', () => {
  it('compares heads one by one: two heads that swap are far apart, though their mean is the same', async () => {
    const [table] = attentionTables(await gathered(attentionSweep()));
    expect(table?.rows.map(({ contextTokens, divergences }) => [contextTokens, divergences.map(({ meanOfHeads, ofMean }) => [meanOfHeads, ofMean])])).toEqual([
      [64, [[0, 0]]],
      [128, [[expect.closeTo(Math.LN2, 12), 0]]],
      [256, []],
    ]);
  });

  it('stands in the terminal, in the HTML report and in its JSON', async () => {
    const rows = attentionSweep();
    const text = renderTerminal(await gathered(rows), { columns: 100, color: 'none', ascii: false });
    expect(text).toMatch(/128 +2\.50 +0\.500 +0\.250 +0\.6931/);
    expect(text).toMatch(/256 +oom/);
    expect(text.split('\n').every((line) => line.length <= 100)).toBe(true);
    expect(await renderHtml(await gathered(rows))).toContain('0.6931');
    expect(reportJson(await gathered(rows)).attention.map(({ contextTokens, entropy }) => [contextTokens, entropy])).toEqual([[64, 1.25], [128, 2.5], [256, null]]);
  });

  it('is drawn: a panel a length with the range of its heads, entropies below ln n, and a table like Table 1 of the paper', async () => {
    const html = await renderHtml(await gathered(attentionSweep()));
    expect(html).toContain('yarn 8, continued at 512: where attention goes');
    expect(html).toContain('band: smallest to largest head');
    for (const panel of ['64 tokens', '128 tokens']) expect(html).toContain(`>${panel}</text>`);
    expect(html).toContain('Attention entropy by context length');
    expect(html).toMatch(/JS to yarn[^<]* at 64[^]*?<td class="number">reference<\/td><td class="number">0\.6931<\/td>/);
  });

  it('has the range of heads where they are stored, and many bins taken together', async () => {
    const [table] = attentionTables(await gathered(attentionSweep()));
    if (table === undefined) throw new Error('the fixture has a task');
    const [chart] = distributionCharts(table);
    expect(chart?.curves.map(({ contextTokens }) => contextTokens)).toEqual([64, 128]);
    expect(chart?.curves[0]?.points).toEqual([{ bin: 0, mass: 0.5, least: 0, most: 1 }, { bin: 1, mass: 0.5, least: 0, most: 1 }]);
    const bins = 1000;
    const points = curvePoints({ bins, mean: new Array<number>(bins).fill(1 / bins) }, null);
    expect(points.length).toBeLessThanOrEqual(129);
    expect(points.at(-1)).toMatchObject({ mass: expect.closeTo(1 / bins, 12) as number, least: null });
  });

  it('is nothing without attention cells', async () => expect(attentionTables(await gathered(noCells()))).toEqual([]));
});
