import { describe, expect, it } from 'vitest';
import { figuresIn, pngOf } from '../../report/figureFiles.js';
import { renderHtml } from '../../report/html/report.js';
import { Resvg } from '@resvg/resvg-js';
import { nothingMeasured, oneArm, tenArms } from './fixtures.js';
import { gathered } from './source.js';

describe('figures as files', () => {
  it('are all the figures of the page, with names that tell what they show and do not depend on the order', async () => {
    const rows = tenArms();
    const page = await renderHtml(await gathered(rows));
    const figures = figuresIn(page);
    expect(figures).toHaveLength([...page.matchAll(/<svg /g)].length);
    expect(figures[2]).toMatchObject({ name: 'needle-pi-8-continued-at-256', title: 'pi 8, continued at 256', description: expect.stringContaining('Heat map of recall') as string });
    const fewer = figuresIn(await renderHtml(await gathered({ ...rows, arms: rows.arms.slice(2), cells: rows.cells.filter(({ armId }) => rows.arms.findIndex(({ id }) => id === armId) >= 2) })));
    expect(fewer.map(({ name }) => name)).toEqual(figures.map(({ name }) => name).slice(2));
  });

  it('have different names where titles are alike, and titles with markup are only text', async () => {
    const label = '../<b>"Q&A"</b>';
    const rows = tenArms();
    const figures = figuresIn(await renderHtml(await gathered({ ...rows, arms: rows.arms.map((arm) => ({ ...arm, label })) })));
    expect(new Set(figures.map(({ name }) => name)).size).toBe(figures.length);
    expect(figures.length).toBeGreaterThanOrEqual(10);
    expect(figures.slice(0, 2).map(({ name, title }) => [name, title])).toEqual([['needle-b-q-a-b', label], ['needle-b-q-a-b-2', label]]);
  });

  it('stand alone as SVG: on white, without what a page would have to give', async () => {
    const [figure] = figuresIn(await renderHtml(await gathered(oneArm())));
    expect(figure?.svg).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<svg xmlns="http:\/\/www.w3.org\/2000\/svg" [^>]*viewBox="0 0 [\d.]+ [\d.]+">/);
    expect(figure?.svg).toContain('<rect width="100%" height="100%" fill="#fff"/>');
    expect(figure?.svg).not.toMatch(/var\(--|class="[^"]*scroll/);
  });

  it('are PNG at twice the size of the page, opaque, with words where the system has a font', async () => {
    const [figure] = figuresIn(await renderHtml(await gathered(oneArm())));
    if (figure === undefined) throw new Error('the fixture has a figure');
    const { width, height } = new Resvg(figure.svg);
    const png = await pngOf(figure);
    expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([Math.ceil(2 * width), Math.ceil(2 * height)]);
    // Without its words the picture is another one: they are drawn.
    const wordless = await pngOf({ ...figure, svg: figure.svg.replace(/<text[^>]*>.*?<\/text>/g, '') });
    expect(wordless.equals(png)).toBe(false);
  });

  it('are drawn of a sweep without numbers too, and none of a page without figures', async () => {
    expect(figuresIn(await renderHtml(await gathered(nothingMeasured())))).not.toEqual([]);
    expect(figuresIn('<svg><title>not one of ours</title></svg>')).toEqual([]);
  });
});
