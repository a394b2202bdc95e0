import { describe, expect, it } from 'vitest';
import type { Frontier, Refinement, TestedLength } from '../../domain/refinement.js';
import type { NeedleCellRow, SweepRows } from '../../domain/rows.js';
import { isNeedleRow } from '../../domain/rows.js';
import { armGrids } from '../../report/aggregate.js';
import { renderHtml } from '../../report/html/report.js';
import { reportJson } from '../../report/json.js';
import { renderTerminal } from '../../report/terminal/report.js';
import { oneArm } from './fixtures.js';
import { gathered } from './source.js';

const STYLE = { columns: 80, color: 'none', ascii: false } as const;

const tested = (contextTokens: number, passed: number, n: number, certain: boolean): TestedLength => ({ contextTokens, passed, n, certain, interval: { low: 0.5, high: 0.75 } });

const FOUND: Frontier = {
  depth: null,
  state: 'found',
  passes: tested(608, 75, 80, true),
  fails: tested(640, 70, 80, false),
  passesAgain: [],
  tested: [tested(512, 10, 10, false), tested(608, 75, 80, true), tested(640, 70, 80, false)],
  audit: { within: { passed: 4, n: 5 }, beyond: { passed: 1, n: 9 } },
};

/** One arm with a refined length, an audit cell of its own length, and a frontier. */
function refined(frontiers: readonly Frontier[] = [FOUND]): SweepRows {
  const rows = oneArm();
  const [armId] = rows.arms.map(({ id }) => id);
  if (armId === undefined) throw new Error('no arm');
  const more = rows.cells.filter(isNeedleRow).slice(0, 6).map((cell, at): NeedleCellRow => ({ ...cell, contextTokens: at === 5 ? 777 : 608, origin: at === 5 ? 'audit' : 'refine', needle: cell.needle && { ...cell.needle, exactMatch: at === 5 ? false : true } }));
  const refinement: Refinement = [
    {
      task: 0,
      toleranceTokens: 32,
      threshold: 0.9,
      confidence: 0.95,
      maximumCells: 640,
      auditCells: 32,
      arms: [{ armId, frontiers, cells: { grid: 60, refine: 1200, audit: 14 }, flops: 2e12, fullGrid: { cells: 5040, flops: 17e12 } }],
    },
  ];
  return { ...rows, cells: [...rows.cells, ...more], refinement };
}

describe('a refined sweep in reports', () => {
  it('has heat maps, recalls and reach of its grid alone', async () => {
    expect(armGrids(await gathered(refined()))).toEqual(armGrids(await gathered(oneArm())));
  });

  it('tells each frontier with what it took, and marks verdicts that stay uncertain', async () => {
    const text = renderTerminal(await gathered(refined()), STYLE);
    expect(text).toMatch(/arm +frontier +pass +fail +audit +cells/);
    expect(text).toMatch(/608-640\? +75\/80 +70\/80 +4\/5, 1\/9 +1,274 of 5,040/);
    const joined = text.replaceAll('\n', ' ');
    expect(joined).toContain('1 of 1 frontier found with 1,274 cells, grid and audit among them; the full grid at this resolution has 5,040 (3.96 x), 2.00 TFLOP in place of 17.0 TFLOP (8.50 x)');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('names the end that there is, the depth, and what is not as it should be', async () => {
    const text = renderTerminal(
      await gathered(refined([
        { ...FOUND, depth: 0, fails: null },
        { ...FOUND, depth: 0.5, passes: null },
        { ...FOUND, depth: 1, state: 'limited', passesAgain: [tested(2048, 9, 10, false)] },
        { ...FOUND, depth: 0.25, state: 'unmeasured', passes: null, fails: null },
      ])),
      STYLE,
    );
    expect(text).toMatch(/ 0 +> 608 +75\/80 +- /);
    expect(text).toMatch(/ 50 +< 640\? +- +70\/80 /);
    expect(text).toContain('  ended by maximumCells; passes again at 2048?');
    expect(text).toContain('  lengths that would decide have no numbers');
  });

  it('has a section in the HTML report with every length that was looked at, and none where nothing is refined', async () => {
    const page = await renderHtml(await gathered(refined()));
    expect(page).toContain('<h2>Frontiers</h2>');
    expect(page).toContain('608-640?');
    expect(page).toContain('75/80 50-75 %');
    expect(page).toContain('Every length that was looked at');
    expect(await renderHtml(await gathered(oneArm()))).not.toContain('Frontiers');
    expect(renderTerminal(await gathered(oneArm()), STYLE)).not.toContain('rontier');
  });

  it('has its frontiers in the JSON as the store has them', async () => {
    expect(reportJson(await gathered(refined())).refinement).toEqual(refined().refinement);
    expect(reportJson(await gathered(oneArm())).refinement).toBeNull();
  });
});
