import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CellResult } from '../../domain/measurement.js';
import { openStore, type PrismaStore } from '../../results/store.js';
import { CHROMIUM, launchChromium } from '../stack/chromium.js';
import { seedMixedSweep } from '../stack/mixedSweep.js';
import { freshDatabase, type TestDatabase } from '../stack/postgres.js';
import { FIXTURE_PLACE, fixturePlan, fixtureResult, fixtureSpec, shardsToStart, type FixtureGrid } from '../stack/seed.js';
import { openPlace, waitFor, type Place } from './command.js';

/** Where screenshots are kept for a person to look at; none where it is not set. */
const PICTURES = process.env['ROPESWEEP_PICTURES'];

const VIEWS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

/** What runs in the page. */
const OPEN_ALL = "document.querySelectorAll('details').forEach((details) => (details.open = true))";
const REACHED = 'a[href], summary';
const WHAT = "(element) => element.getAttribute('href') ?? element.textContent";

const RUNNING: FixtureGrid = {
  name: 'running',
  methods: [{ name: 'none' }, { name: 'pi', factor: 4 }, { name: 'ntk', factor: 8 }],
  continued: [null, 512],
  contextTokens: [128, 256, 512, 1024, 2048, 4096],
  depths: [0, 0.25, 0.5, 0.75, 1],
  seeds: [1, 2, 3],
};

const PAGES = [['the list', '/'], ['a sweep with every kind of task', '/sweeps/mixed'], ['a sweep that runs', '/sweeps/running']] as const;

describe.skipIf(CHROMIUM === null)('the pages of ropesweep open in Chromium (skipped where CHROME_PATH and PATH have none)', () => {
  let place: Place;
  let database: TestDatabase;
  let store: PrismaStore;
  let url: string;
  let browser: Browser;
  /** What was opened, in that order: a start that fails half way leaves nothing behind either. */
  const closings: (() => unknown)[] = [];

  beforeAll(async () => {
    database = await freshDatabase();
    closings.push(() => database.drop());
    place = await openPlace();
    closings.push(() => place.remove());
    store = await openStore(database.url);
    closings.push(() => store.close());
    await seedMixedSweep(store, 'mixed');
    await store.submit(fixtureSpec(RUNNING), fixturePlan(RUNNING));
    await measureSome(9);
    const command = place.start(['open', '--json'], { DATABASE_URL: database.url });
    closings.push(() => {
      command.child.kill('SIGINT');
      return command.ended;
    });
    url = await waitFor('the address', () => command.events()[0]?.['url'] as string | undefined);
    browser = await launchChromium();
    closings.push(() => browser.close());
  });
  afterAll(async () => {
    for (const close of closings.reverse()) await close();
  });

  /** Evaluates some shards of the sweep that runs. */
  async function measureSome(shards: number): Promise<void> {
    for (const shard of await shardsToStart(store, fixturePlan(RUNNING).sweep, shards)) {
      const leased = await store.lease(shard, FIXTURE_PLACE);
      if (leased === null) continue;
      await store.record(leased.lease, FIXTURE_PLACE, leased.job.cells.map((cell): CellResult => fixtureResult(cell.key, cell.contextTokens)));
      await store.finishShard(leased.lease, null, null);
    }
  }

  /** Cells of that sweep that have ended. */
  async function ended(): Promise<number> {
    const status = await store.status(fixturePlan(RUNNING).sweep);
    return status === null ? 0 : status.cells.total - status.cells.planned;
  }

  interface Opened {
    readonly page: Page;
    /** Errors of the page, and requests that leave this machine. */
    readonly faults: string[];
  }

  /** @param path of the page; whose report is drawn; waits until its script has said that it keeps it new */
  async function open(path: string, view: keyof typeof VIEWS): Promise<Opened> {
    const page = await browser.newPage({ viewport: VIEWS[view], ...(view === 'phone' ? { deviceScaleFactor: 2, isMobile: true, hasTouch: true } : {}) });
    const faults: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
    });
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== new URL(url).origin) faults.push(`asked ${request.url()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
    });
    if (path !== '/') await fetch(new URL(`${path}/report.html`, url));
    await page.goto(new URL(path, url).href);
    await page.getByText(/refreshes itself/).waitFor();
    return { page, faults };
  }

  describe.each(Object.keys(VIEWS) as (keyof typeof VIEWS)[])('at the width of a %s', (view) => {
    it.each(PAGES)('%s fits, and has no error', async (name, path) => {
      const { page, faults } = await open(path, view);
      const [width = 0, room = 0] = await page.evaluate<number[]>('[document.documentElement.scrollWidth, document.documentElement.clientWidth]');
      if (PICTURES !== undefined) {
        const file = `${view}-${name.replaceAll(' ', '-')}`;
        await page.screenshot({ path: join(PICTURES, `${file}.png`) });
        await page.screenshot({ path: join(PICTURES, `${file}-full.png`), fullPage: true });
      }
      expect(width).toBeLessThanOrEqual(room);
      expect(faults).toEqual([]);
      await page.close();
    });

    // A table that scrolls is a stop of the keyboard by itself in today's browsers (a test below); axe wants a mark on it,
    // which would make stops of all those that do not scroll.
    it.each(PAGES)('%s breaks no rule of accessibility that axe knows, light or dark, with everything open', async (_name, path) => {
      const { page } = await open(path, view);
      await page.evaluate(OPEN_ALL);
      await page.evaluate(axe.source);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const broken = await page.evaluate<string[]>("axe.run({ rules: { 'scrollable-region-focusable': { enabled: false } } }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html.slice(0, 200))))");
        expect(broken).toEqual([]);
      }
      await page.close();
    });

    it('all links and everything that opens are reached by keyboard', async () => {
      const { page, faults } = await open('/sweeps/mixed', view);
      await page.evaluate(OPEN_ALL);
      const wanted = await page.evaluate<string[]>(`[...document.querySelectorAll('${REACHED}')].map(${WHAT})`);
      const reached: string[] = [];
      for (let presses = 0; presses < 4 * wanted.length && reached.length < wanted.length; presses += 1) {
        await page.keyboard.press('Tab');
        const found = await page.evaluate<string | null>(`(() => { const at = document.activeElement; return at.matches('${REACHED}') && at.getBoundingClientRect().width > 0 ? (${WHAT})(at) : null; })()`);
        if (found !== null) reached.push(found);
      }
      expect(reached).toEqual(wanted);
      expect(wanted.length).toBeGreaterThan(20);
      expect(faults).toEqual([]);
      await page.close();
    });
  });

  it('what is wider than a phone can be scrolled by keyboard', async () => {
    const { page } = await open('/sweeps/mixed', 'phone');
    await page.evaluate(OPEN_ALL);
    let isReached = false;
    for (let presses = 0; presses < 200 && !isReached; presses += 1) {
      await page.keyboard.press('Tab');
      isReached = await page.evaluate<boolean>("document.activeElement.matches('.scroll')");
    }
    expect(isReached).toBe(true);
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction('document.activeElement.scrollLeft > 0');
    await page.close();
  });

  it('a page shows new cells without being loaded again: what is open, where it stands and what has the focus stay', async () => {
    const { page, faults } = await open('/sweeps/running', 'desktop');
    let loads = 0;
    page.on('load', () => (loads += 1));
    await page.evaluate(OPEN_ALL);
    const link = page.locator('figure').nth(2).getByRole('link').first();
    await link.focus();
    await page.evaluate("scrollTo(0, 700); window.figure = document.querySelectorAll('figure')[2]; window.focused = document.activeElement");
    const stands = 'JSON.stringify([scrollY, document.querySelectorAll("figure").length, document.querySelectorAll("figure")[2] === window.figure, document.activeElement === window.focused, document.querySelectorAll("details:not([open])").length])';
    const before = await page.evaluate<string>(stands);
    expect(before).toMatch(/^\[700,\d+,true,true,0\]$/);
    const cells = await ended();
    await page.getByText(`${cells} of 540 cells have ended`).waitFor();
    const drawnBefore = await page.locator('figure').nth(2).locator('svg').innerHTML();

    await measureSome(18);
    const more = await ended();
    expect(more).toBeGreaterThan(cells + 200);
    await page.getByText(`${more} of 540 cells have ended`).waitFor();
    await page.getByText(`${more} measured`).first().waitFor();
    expect(await page.evaluate<string>(stands)).toBe(before);
    const line = page.locator('#refreshed');
    expect([await line.textContent(), await line.getAttribute('aria-live')]).toEqual([expect.stringMatching(/^Refreshed at /), 'polite']);
    expect(await page.locator('figure').nth(2).locator('svg').innerHTML()).not.toBe(drawnBefore);
    expect(loads).toBe(0);
    expect(faults).toEqual([]);
    if (PICTURES !== undefined) await page.screenshot({ path: join(PICTURES, 'desktop-refreshed.png') });
    await page.close();
  });

  it('a page that is as new as the store says nothing again', async () => {
    const { page } = await open('/sweeps/mixed', 'phone');
    await page.evaluate('window.changes = 0; new MutationObserver((records) => (window.changes += records.length)).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true })');
    const asked = new Set<number>();
    page.on('response', (response) => asked.add(response.status()));
    await page.waitForTimeout(5000);
    const changes = await page.evaluate<number>('window.changes');
    expect([...asked]).toEqual([304]);
    expect(changes).toBe(0);
    await page.close();
  });

  it('figures open as files, in a page that runs nothing', async () => {
    const { page, faults } = await open('/sweeps/mixed', 'desktop');
    await page.getByRole('link', { name: 'pi as SVG' }).first().click();
    await page.waitForURL(/\/figures\/needle-pi\.svg$/);
    expect(await page.evaluate<string>('document.documentElement.tagName')).toBe('svg');
    expect(faults).toEqual([]);
    await page.close();
  });

  it('a page says so when the server has ended', async () => {
    const second = place.start(['open', 'mixed', '--json'], { DATABASE_URL: database.url });
    const address = await waitFor('the address', () => second.events()[0]?.['url'] as string | undefined);
    const page = await browser.newPage();
    await page.goto(address);
    await page.getByText(/refreshes itself/).waitFor();
    second.child.kill('SIGINT');
    expect((await second.ended).code).toBe(0);
    await page.getByText(/does not answer/).waitFor();
    expect(await page.locator('h1').textContent()).toBe('mixed');
    await page.close();
  });
});
