/** Panels in a real browser, into pictures, and what can be told of them there: that each is drawn, its texts, what opens over it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { packageFile } from '../../infra/packageRoot.js';
import { isHeatmap } from './needs.js';
import type { Variant } from './variants.js';

const THEMES = ['dark', 'light'] as const;

/** The page of the panels, which the browser opens as a file. */
export function bundlePage(work: string): void {
  const here = packageFile('tests', 'panels');
  execFileSync(
    join(here, 'node_modules/.bin/esbuild'),
    ['page.jsx', '--bundle', '--format=iife', '--jsx=automatic', `--outfile=${join(work, 'page.js')}`, '--log-level=error', '--loader:.svg=text', '--loader:.ttf=empty', '--loader:.woff2=empty', '--define:process.env.NODE_ENV="production"', '--define:global=window'],
    { cwd: here, stdio: 'inherit' },
  );
}

/** @returns what is wrong with what was drawn, with the names of the pictures told as they are written */
export async function draw(browser: Browser, work: string, folder: string, store: string, variants: readonly Variant[]): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const html = join(work, `${store}.html`);
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
    // Plots are drawn at the next frame, tables once their columns are measured.
    await page.waitForTimeout(1000);
    for (const dashboard of new Set(variants.map((variant) => variant.dashboard))) {
      const file = join(folder, `${store}-${dashboard}-${theme}.png`);
      await page.locator(`main[id="${dashboard}"]`).screenshot({ path: file });
      console.log(`drawn: ${file}`);
    }
    for (const variant of variants) problems.push(...(await problemsOfDrawn(page, variant)).map((problem) => `${store}, ${theme}: ${variant.dashboard} ${variant.panel.id}, ${variant.title}: ${problem}`));
    await page.close();
  }
  return problems;
}

const panelOf = (page: Page, { dashboard, panel, title }: Variant) => page.locator(`main[id="${dashboard}"] [data-panel="${panel.id}"]`).and(page.locator(`[data-title=${JSON.stringify(title)}]`));

async function problemsOfDrawn(page: Page, variant: Variant): Promise<string[]> {
  const { panel, results } = variant;
  const drawn = panelOf(page, variant);
  const isEmpty = results.every(({ fields }) => fields.length === 0);
  const texts = await drawn.innerText();
  const plots = await drawn.locator('.u-over').count();
  const cut = await drawn.locator('h2').evaluateAll((heads: { scrollWidth: number; clientWidth: number }[]) => heads.some(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1));
  return [
    ...(cut ? ['its title is cut'] : []),
    ...(isEmpty && panel.type !== 'trend' && !texts.includes(panel.fieldConfig.defaults.noValue ?? '') ? [`it says nothing of being empty: ${texts}`] : []),
    ...(!isEmpty && ['timeseries', 'trend'].includes(panel.type) ? await problemsOfPlot(variant, texts, plots) : []),
    ...(!isEmpty && isHeatmap(panel) ? await problemsOfHeatmap(page, variant) : []),
  ];
}

async function problemsOfPlot({ panel, results }: Variant, texts: string, plots: number): Promise<string[]> {
  const named = panel.type === 'timeseries' ? results.flatMap(({ fields }) => fields.slice(1).map(({ name }) => name)) : [...new Set(results.flatMap(({ fields }) => (fields.find(({ name }) => name === 'series')?.values ?? []) as string[]))];
  return Promise.resolve([...(plots === 1 ? [] : [`it has ${plots} plots`]), ...named.filter((name) => !texts.includes(name)).map((name) => `its legend has no ${name}`)]);
}

async function problemsOfHeatmap(page: Page, variant: Variant): Promise<string[]> {
  const drawn = panelOf(page, variant);
  const shapes = await drawn.locator('[role="gridcell"]').evaluateAll((cells: { textContent: string; style: { borderLeft: string; borderRight: string } }[]) => cells.map(({ textContent }) => textContent));
  return Promise.resolve(shapes.length === 0 ? ['it has no square'] : []);
}
