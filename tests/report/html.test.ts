import { describe, expect, it } from 'vitest';
import { armGrids } from '../../report/aggregate.js';
import { figureSvg } from '../../report/html/figure.js';
import { renderHtml } from '../../report/html/report.js';
import { hex, recallColour } from '../../report/recallColours.js';
import { everyState, hugeSweep, needleNumbers, noCells, nothingMeasured, oneArm, tenArms } from './fixtures.js';
import type { SweepRows } from '../../domain/rows.js';
import { gathered } from './source.js';

const svgOf = async (rows: SweepRows): Promise<string> => {
  const [grid] = armGrids(await gathered(rows));
  if (grid === undefined) throw new Error('the fixture has no grid');
  return (await figureSvg(grid, 'figure-0', grid.arm.label)).text;
};
const rgb = (recall: number): string => {
  const { red, green, blue } = recallColour(recall);
  return `rgb(${red}, ${green}, ${blue})`;
};
/** x of every vertical line with that dash pattern. */
const linesAt = (svg: string, dash: string): number[] =>
  [...svg.matchAll(/<line transform="translate\(([\d.]+),[\d.]+\)"[^>]*stroke-dasharray="([^"]+)"/g)].filter(([, , pattern]) => pattern === dash).map(([, x]) => Number(x));
const [DASHED, DOTTED] = ['6,4', '1.5,3'];
const COLUMN = 46;

describe('a heat map as SVG', () => {
  it('colours cells by recall and writes entropy in readable ink', async () => {
    const svg = await svgOf(oneArm({
      contexts: [64, 128],
      depths: [0.5],
      change: (cell) => ({ ...cell, needle: needleNumbers({ exactMatch: cell.contextTokens === 64, entropy: cell.contextTokens === 64 ? 1.25 : 2.75 }) }),
    }));
    expect(svg).toContain(`fill="${rgb(1)}"`);
    expect(svg).toContain(`fill="${rgb(0)}"`);
    expect(svg).toMatch(new RegExp(`<text[^>]*fill="#000000"[^>]*>1\\.25</text>`));
    expect(svg).toMatch(new RegExp(`<text[^>]*fill="#ffffff"[^>]*>2\\.75</text>`));
    expect(hex(recallColour(1))).toBe('#f6e058');
  });

  it.each([
    ['at a tested length', 512, 4 * COLUMN],
    ['between columns', 700, 4 * COLUMN],
    ['at the right edge', 2048, 6 * COLUMN],
    ['beyond it', 9999, 6 * COLUMN],
    ['before the left edge', 10, 0],
  ])('has a dashed line %s and a dotted one at L0', async (_where, continued, x) => {
    const svg = await svgOf(oneArm({ continued }));
    expect(linesAt(svg, DASHED)).toEqual([x]);
    expect(linesAt(svg, DOTTED)).toEqual([2 * COLUMN]);
    expect(svg).toContain(`continued at ${continued}`);
    expect(svg).toContain('L0 128');
  });

  it('has no dashed line where the checkpoint was not continued', async () => {
    const svg = await svgOf(oneArm({ continued: null }));
    expect(linesAt(svg, DASHED)).toEqual([]);
    expect(linesAt(svg, DOTTED)).toEqual([2 * COLUMN]);
  });

  it('is an image with a title, a description and a legend', async () => {
    const svg = await svgOf(oneArm());
    expect(svg).toMatch(/^<svg [^>]*role="img" aria-labelledby="figure-0-title figure-0-desc"/);
    expect(svg).toContain('<title id="figure-0-title">yarn 8, continued at 512</title>');
    expect(svg).toMatch(/<desc id="figure-0-desc">[^<]*Dashed line: continued at 512 tokens\./);
    expect(svg).toContain('recall, %');
    expect(svg).toMatch(/id="figure-0-gradient"/);
  });

  it('shows states where there are no numbers', async () => {
    const svg = await svgOf(everyState());
    for (const word of ['div', 'fail', 'oom', '·']) expect(svg).toContain(`>${word}</text>`);
  });
});

describe('the HTML report', () => {
  it('loads nothing and runs nothing', async () => {
    const html = await renderHtml(await gathered(tenArms()));
    expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(html).not.toMatch(/<script|<link|<img|\bsrc=|@import|\son\w+=/i);
    expect(html.match(/https?:\/\/[^"\s<]+/g)?.filter((address) => !address.startsWith('http://www.w3.org/')) ?? []).toEqual([]);
  });

  it('has a figure with its numbers as a table for every arm, and no id twice', async () => {
    const html = await renderHtml(await gathered(tenArms()));
    expect(html.match(/<figure id="arm-\d+"/g)).toHaveLength(10);
    const figures = html.match(/<figure [^]*?<\/figure>/g) ?? [];
    expect(figures.filter((figure) => !/<svg [^>]*role="img"/.test(figure))).toEqual([]);
    // A forest plot has its table below it.
    expect(figures.filter((figure) => !figure.includes('<details><summary>Numbers</summary>') && !figure.includes('id="entropy-failure'))).toEqual([]);
    const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, name]) => name);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
  });

  it('escapes what specs and workers wrote', async () => {
    const rows = everyState();
    const attack = '"><script>alert(1)</script>';
    const html = await renderHtml(await gathered({
      ...rows,
      spec: { name: attack, description: attack },
      arms: rows.arms.map((arm) => ({ ...arm, label: attack, model: attack })),
    }));
    expect(html).not.toContain('<script');
    expect(html).not.toContain('<b>slot died');
    expect(html).toContain('&lt;b&gt;slot died&lt;/b&gt;');
    expect(html).not.toContain('\u001b');
  });

  it('says what was run, on what, how it ended and what has no numbers', async () => {
    const rows = everyState();
    const html = await renderHtml(await gathered({ ...rows, state: 'incomplete' }));
    for (const text of ['revision 1', 'incomplete: ', rows.planDigest, 'onnxruntime 1.30.0', 'fixture CPU/', '10 infeasible', 'contextTokens:', '10 cells infeasible: needs 3.1 GB']) {
      expect(html).toContain(text);
    }
  });

  it('is the same for the same rows', async () => {
    const [first, second] = [await renderHtml(await gathered(tenArms())), await renderHtml(await gathered(tenArms()))];
    expect(first === second).toBe(true);
  });

  it('is whole where nothing is measured and where there are no cells', async () => {
    for (const rows of [nothingMeasured(), noCells()]) expect(await renderHtml(await gathered(rows))).toMatch(/<\/html>\n$/);
  });

  it('shows every figure as one image: its parts have no roles of their own', async () => {
    expect(await renderHtml(await gathered(tenArms()))).not.toMatch(/<g [^>]*(?:role|aria-label|aria-roledescription)=/);
  });

  it('cuts no label of an arm in legends and on axes', async () => {
    const rows = tenArms({ seeds: [1, 2, 3, 4, 5, 6] });
    const label = 'dynamic-ntk 16, continued at 131072';
    const html = await renderHtml(await gathered({ ...rows, arms: rows.arms.map((arm) => ({ ...arm, label: `${arm.ordinal} ${label}`.slice(0, label.length) })) }));
    expect(html).not.toContain('…');
  });

  it('turns no paper for tables that fit on it upright', async () => {
    expect(await renderHtml(await gathered(tenArms()))).not.toContain('<table class="wide">');
  });

  it('has headings in order and links to its sections', async () => {
    for (const rows of [tenArms(), noCells(), nothingMeasured()]) {
      const html = await renderHtml(await gathered(rows));
      const levels = [...html.matchAll(/<h([1-6])>/g)].map(([, level]) => Number(level));
      expect(levels[0]).toBe(1);
      expect(levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1)).toEqual([]);
      expect(html).toMatch(/<nav aria-label="Contents">/);
      const ids = [...html.matchAll(/\sid="([^"]+)"/g)].map(([, name]) => name);
      for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
    }
  });

  it('says what the paper leaves open, and names weights and prompts by digest', async () => {
    const html = await renderHtml(await gathered(tenArms()));
    expect(html).toContain('leave open, and what this sweep chose');
    expect(html).toContain('Digests of weights, prompts and documents');
    for (const { weightsId } of tenArms().arms) expect(html).toContain(weightsId);
  });

  it('tells the findings in sentences, with caveats, and says too few where that is so', async () => {
    const html = await renderHtml(await gathered(tenArms()));
    for (const text of ['Finding 1', 'Not asked: it needs an attention task', 'Finding 2', 'too few in all 10 arms', 'Finding 3', 'evaluation noise only', 'tokens not told by the checkpoints', 'random seed 1', 'fewer than 10, intervals by seed']) expect(html).toContain(text);
  });

  it('renders 100 arms of 400 cells within seconds, in less than 10 MB, and says how many maps it leaves out', async () => {
    const rows = hugeSweep();
    const started = performance.now();
    const html = await renderHtml(await gathered(rows));
    console.log(`100 arms x 40 x 10 as HTML: ${((performance.now() - started) / 1000).toFixed(1)} s, ${(html.length / 1e6).toFixed(1)} MB`);
    expect(html.length).toBeLessThan(10e6);
    // Tables of forty lengths are printed across.
    expect(html).toMatch(/<table class="wide"><caption>Mean entropy \(passed/);
    expect(html).toMatch(/<table><caption>Every arm/);
    const drawn = html.match(/<figure id="arm-\d+"/g)?.length ?? 0;
    expect(drawn).toBeGreaterThan(20);
    expect(html).toContain(`Left out to keep the page small: ${100 - drawn} more heat maps`);
    // The table of arms has all of them, and links only to those that are drawn.
    const ids = new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, name]) => name));
    expect([...html.matchAll(/href="#([^"]+)"/g)].filter(([, target]) => !ids.has(target))).toEqual([]);
  }, 60_000);
});
