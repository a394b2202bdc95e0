/** Panels in a real browser, into pictures, and what can be told of them there: that each is drawn, its texts, what opens over it. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Locator, Page } from 'playwright-core';
import { packageFile } from '../../infra/packageRoot.js';
import { isHeatmap } from './needs.js';
import type { Variant } from './variants.js';

const THEMES = ['dark', 'light'] as const;

/** The page of the panels, which the browser opens as a file. */
export function bundlePage(folder: string): void {
  const here = packageFile('tests', 'panels', 'grafana');
  execFileSync(
    join(here, 'node_modules/.bin/esbuild'),
    ['page.jsx', '--bundle', '--format=iife', '--jsx=automatic', `--outfile=${join(folder, 'page.js')}`, '--log-level=error', '--loader:.svg=text', '--loader:.ttf=empty', '--loader:.woff2=empty', '--define:process.env.NODE_ENV="production"', '--define:global=window'],
    { cwd: here, stdio: 'inherit' },
  );
}

/** @returns what is wrong with what was drawn, with the names of the pictures told as they are written */
export async function draw(browser: Browser, folder: string, store: string, variants: readonly Variant[]): Promise<string[]> {
  const html = join(folder, `${store}.html`);
  // No < of the data may end its element.
  const data = JSON.stringify(variants).replaceAll('<', '\\u003c');
  writeFileSync(html, `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><script type="application/json" id="variants">${data}</script><div id="root"></div><script src="page.js"></script>`);
  const problems: string[] = [];
  for (const theme of THEMES) {
    const page = await browser.newPage({ viewport: { width: 1480, height: 900 } });
    page.on('pageerror', (error) => problems.push(`${store}, ${theme}: ${error.message}`));
    await page.goto(`${pathToFileURL(html).href}?theme=${theme}`);
    await page.waitForSelector('[data-panel], [data-failed]');
    const failed = await page.getAttribute('body', 'data-failed');
    if (failed !== null) throw new Error(failed);
    // A table that is not in the window is not drawn.
    await page.setViewportSize({ width: 1480, height: Math.ceil((await page.locator('#root').boundingBox())?.height ?? 900) });
    // Plots are drawn at the next frame, tables once their columns are measured.
    await page.waitForTimeout(1000);
    for (const dashboard of new Set(variants.map((variant) => variant.dashboard))) {
      const file = join(folder, `${store}-${dashboard}-${theme}.png`);
      await page.locator(`main[id="${dashboard}"]`).screenshot({ path: file });
      console.log(`drawn: ${file}`);
    }
    for (const variant of variants) problems.push(...(await problemsOfDrawn(page, variant)).map((problem) => `${store}, ${theme}: ${variant.dashboard} ${variant.panel.id}, ${variant.title}: ${problem}`));
    problems.push(...(await problemsOfTooltips(page, join(folder, `${store}-tooltip-${theme}.png`), variants)));
    await page.close();
  }
  return problems;
}

const panelOf = (page: Page, { dashboard, panel, title }: Variant): Locator => page.locator(`main[id="${dashboard}"] [data-panel="${panel.id}"][data-title=${JSON.stringify(title)}]`);

async function problemsOfDrawn(page: Page, variant: Variant): Promise<string[]> {
  const { panel, results } = variant;
  const drawn = panelOf(page, variant);
  const isEmpty = results.every(({ fields }) => fields.length === 0);
  const texts = await drawn.innerText();
  const cut = await drawn.locator('h2').evaluateAll((heads: Drawn[]) => heads.some(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1));
  const always = cut ? ['its title is cut'] : [];
  // A trend says by itself that there is nothing, in words of Grafana's.
  if (isEmpty) return [...always, ...(panel.type === 'trend' || texts.includes(panel.fieldConfig.defaults.noValue ?? '') ? [] : ['it does not say that it is empty'])];
  if (isHeatmap(panel)) return [...always, ...(await problemsOfHeatmap(drawn, variant))];
  if (panel.type === 'table') return [...always, ...((await drawn.locator('[role="gridcell"]').count()) > 0 ? [] : ['it shows no cell'])];
  if (panel.type === 'stat') return always;
  return [...always, ...(await problemsOfPlot(drawn, variant, texts))];
}

async function problemsOfPlot(drawn: Locator, { panel, results }: Variant, texts: string): Promise<string[]> {
  const fields = results.flatMap((frame) => frame.fields);
  const series = panel.type === 'timeseries' ? fields.slice(1).map(({ name }) => name) : [...new Set(fields.find(({ name }) => name === 'series')?.values as string[])];
  const missing = series.filter((name) => !texts.includes(name));
  return [...((await drawn.locator('.u-over').count()) === 1 ? [] : ['it has no plot']), ...(missing.length > 0 ? [`its legend has no ${missing.join(', ')}`] : [])];
}

interface Square {
  readonly text: string;
  readonly background: string;
  readonly left: string;
  readonly right: string;
}

/** As much of an element as is asked of it in the page. */
interface Drawn {
  readonly textContent: string;
  readonly scrollWidth: number;
  readonly clientWidth: number;
  readonly ownerDocument: { readonly defaultView: { getComputedStyle(element: Drawn): { readonly backgroundColor: string; readonly borderLeftStyle: string; readonly borderRightStyle: string } } };
}

const LINES = ['dashed', 'dotted', 'double'];
const lineOf = (border: string | undefined): string => LINES.find((line) => border?.includes(line) === true) ?? 'none';

/** Every square as its queries say: text, colour, and the lines where trained lengths end. */
async function problemsOfHeatmap(drawn: Locator, { results }: Variant): Promise<string[]> {
  const squares = await drawn.locator('[role="gridcell"]').evaluateAll((cells: Drawn[]): Square[] =>
    cells.map((cell) => {
      const { backgroundColor, borderLeftStyle, borderRightStyle } = cell.ownerDocument.defaultView.getComputedStyle(cell);
      return { text: cell.textContent, background: backgroundColor, left: borderLeftStyle, right: borderRightStyle };
    }),
  );
  const of = (refId: string): Map<string, string> => {
    const columns = new Map(results.find((frame) => frame.refId === refId)?.fields.map(({ name, values }) => [name, values]));
    return new Map(columns.get('line')?.map((line, row) => [`${String(line)} ${String(columns.get('name')?.[row]).slice(1)}`, String(columns.get('value')?.[row])]));
  };
  const [texts, styles] = [of('A'), of('B')];
  const ranks = [...new Set([...texts.keys()].map((key) => key.split(' ')[1] ?? ''))].sort();
  return squares.flatMap((square, place) => {
    const key = `${Math.floor(place / ranks.length)} ${ranks[place % ranks.length] ?? ''}`;
    const style = JSON.parse(styles.get(key) ?? '{}') as { background?: string; borderLeft?: string; borderRight?: string };
    return [
      ...(square.text === (texts.get(key) ?? '') ? [] : [`square ${key} says ${square.text} instead of ${texts.get(key) ?? 'nothing'}`]),
      ...(style.background === undefined || square.background === style.background ? [] : [`square ${key} is ${square.background} instead of ${style.background}`]),
      ...(['left', 'right'] as const).flatMap((side) => {
        const [is, should] = [lineOf(square[side]), lineOf(side === 'left' ? style.borderLeft : style.borderRight)];
        return is === should ? [] : [`the line ${side} of square ${key} is ${is} instead of ${should}`];
      }),
    ];
  }).concat(squares.length === ranks.length * (1 + Math.max(...[...texts.keys()].map((key) => Number(key.split(' ')[0])))) ? [] : [`it has ${squares.length} squares`]);
}

/** Of what lies around an element, once it has faded in. */
async function picture(page: Page, element: Locator, path: string): Promise<void> {
  await page.waitForTimeout(500);
  const box = await element.boundingBox();
  if (box === null) throw new Error(`${path}: there is nothing to be seen`);
  await page.screenshot({ path, clip: { x: 0, y: Math.max(0, box.y - 120), width: 1480, height: 700 } });
  console.log(`drawn: ${path}`);
}

/** What opens over a square and over curves, as people see it: into pictures, and compared with what the queries say. */
async function problemsOfTooltips(page: Page, file: string, variants: readonly Variant[]): Promise<string[]> {
  const problems: string[] = [];
  const square = variants.find(({ panel }) => isHeatmap(panel));
  if (square !== undefined && square.results.some(({ fields }) => fields.length > 0)) {
    const caret = panelOf(page, square).locator('[role="gridcell"] [role="button"]').first();
    await caret.scrollIntoViewIfNeeded();
    await caret.hover();
    const expected = String(square.results.find(({ refId }) => refId === 'C')?.fields.find(({ name }) => name === 'value')?.values[0]);
    const tooltip = page.getByText(expected, { exact: true });
    await tooltip.waitFor({ timeout: 5000 }).catch(() => problems.push(`${square.title}: the corner of its first square does not open "${expected}"`));
    await picture(page, caret, file.replace('.png', '-square.png'));
    await page.mouse.move(0, 0);
  }
  const curves = variants.find(({ panel, results }) => panel.type === 'trend' && results.some(({ fields }) => fields.length > 0));
  if (curves !== undefined) {
    const plot = panelOf(page, curves).locator('.u-over');
    await plot.scrollIntoViewIfNeeded();
    await plot.hover();
    const title = String(curves.panel.fieldConfig.overrides.flatMap(({ properties }) => properties).find(({ id }) => id === 'displayName')?.value);
    const tooltip = page.locator('#grafana-portal-container').getByText(title, { exact: true });
    await tooltip.waitFor({ timeout: 5000 }).catch(() => problems.push(`${curves.title}: what opens over it is not headed ${title}`));
    await picture(page, plot, file.replace('.png', '-curves.png'));
  }
  return problems;
}
