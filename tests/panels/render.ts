/**
 * `npm run check:panels -- FOLDER`: draws the heat maps of a small store as Grafana draws them, into pictures to be looked at,
 * and checks what can be checked without eyes: the columns that the transformations made, and their styles.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import getPort from 'get-port';
import pg from 'pg';
import { packageFile } from '../../infra/packageRoot.js';
import { startPostgres } from '../../infra/embedded/postgres.js';
import { migrate } from '../../results/migrate.js';
import { expand, type Values } from '../dashboards/grafanaSql.js';
import { generatedDashboards, type Panel } from '../dashboards/proof.js';
import { fillTaskStore } from '../dashboards/taskStore.js';

interface Variant {
  readonly title: string;
  readonly panel: Panel;
  readonly height: number;
  readonly results: readonly { readonly refId: string; readonly fields: readonly { readonly name: string; readonly type: 'number' | 'string'; readonly values: unknown[] }[] }[];
}

/** OIDs of numbers: int8 (which the driver gives as text), int4, float8, numeric. */
const NUMBERS = [20, 23, 701, 1700];

async function drawn(client: pg.Client, title: string, panel: Panel, values: Values, height = 190): Promise<Variant> {
  const results = [];
  for (const { refId, rawSql } of panel.targets) {
    const { fields, rows } = await client.query<Record<string, unknown>>(expand(rawSql, values));
    results.push({
      refId,
      fields: fields.map(({ name, dataTypeID }) => {
        const isNumber = NUMBERS.includes(dataTypeID);
        return { name, type: isNumber ? ('number' as const) : ('string' as const), values: rows.map((row) => (isNumber && row[name] !== null ? Number(row[name]) : row[name])) };
      }),
    });
  }
  return { title, panel, height, results };
}

async function variants(url: string): Promise<Variant[]> {
  const plan = await fillTaskStore(url);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const needle = generatedDashboards().get('needle');
    const panel = (id: number): Panel => {
      const found = needle?.panels.find((one) => one.id === id);
      if (found === undefined) throw new Error(`there is no panel ${id}`);
      return found;
    };
    const [plain, continued, other] = plan.arms.map(({ id }) => id as string);
    const common = { sweep: 'shown', task: '0' };
    return [
      await drawn(client, 'Not continued; a square diverged, one out of memory, a length quarantined', panel(3), { ...common, arm: plain ?? '' }),
      await drawn(client, 'Continued at 512, trained at 256; two seeds', panel(3), { ...common, arm: continued ?? '' }),
      await drawn(client, 'Nothing measured', panel(3), { ...common, sweep: 'planned', arm: continued ?? '' }),
      await drawn(client, 'No such sweep', panel(3), { ...common, sweep: 'gone', arm: '' }),
      await drawn(client, 'Difference of two arms', panel(4), { ...common, arm_a: continued ?? '', arm_b: other ?? '' }),
    ];
  } finally {
    await client.end();
  }
}

const folder = resolve(process.argv[2] ?? 'panels');
const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
const here = packageFile('tests', 'panels');
const work = mkdtempSync(join(tmpdir(), 'ropesweep-panels-'));
const server = await startPostgres({ folder: join(work, 'postgres'), port: await getPort(), logFile: join(work, 'postgres.log'), durable: false, onSpawn: () => undefined });
try {
  if (chromium === undefined) throw new Error('there is no Chromium to draw with');
  if (!existsSync(join(here, 'node_modules'))) execFileSync('npm', ['ci'], { cwd: here, stdio: 'inherit' });
  await migrate(server.url);
  mkdirSync(folder, { recursive: true });
  const shown = await variants(server.url);
  execFileSync(join(here, 'node_modules/.bin/esbuild'), ['page.jsx', '--bundle', '--format=iife', '--jsx=automatic', `--outfile=${join(folder, 'page.js')}`, '--log-level=error', '--loader:.svg=text', '--loader:.ttf=empty', '--loader:.woff2=empty', '--define:process.env.NODE_ENV="production"', '--define:global=window'], { cwd: here, stdio: 'inherit' });
  const page = join(folder, 'page.html');
  // No < of the data may end its element.
  const data = JSON.stringify(shown).replaceAll('<', '\\u003c');
  writeFileSync(page, `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><script type="application/json" id="variants">${data}</script><script type="application/json" id="frames"></script><div id="root"></div><script src="page.js"></script>`);
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--virtual-time-budget=20000', `--user-data-dir=${join(work, 'chromium')}`];
  execFileSync(chromium, [...flags, '--window-size=1300,800', `--screenshot=${join(folder, 'heat-maps.png')}`, `file://${page}`], { stdio: 'ignore' });
  const dom = execFileSync(chromium, [...flags, '--dump-dom', `file://${page}`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 2 ** 26 });
  const frames = /id="frames">(\[.*?)<\/script>/s.exec(dom)?.[1];
  if (frames === undefined) throw new Error(/not drawn: [^<]*/.exec(dom)?.[0] ?? 'the page drew nothing');
  const problems = check(JSON.parse(frames) as DrawnFrame[], dom);
  for (const problem of problems) console.error(problem);
  console.log(`drawn: ${join(folder, 'heat-maps.png')}`);
  if (problems.length > 0) process.exitCode = 1;
} finally {
  await server.stop();
  rmSync(work, { recursive: true, force: true });
}

interface DrawnFrame {
  readonly title: string;
  readonly fields: readonly { readonly name: string; readonly values: readonly unknown[]; readonly custom: Readonly<Record<string, unknown>> }[];
}

/** What of the pictures can be told without eyes. */
function check(frames: readonly DrawnFrame[], dom: string): string[] {
  const problems: string[] = [];
  const names = (place: number): string[] => frames[place]?.fields.map(({ name }) => name) ?? [];
  const values = (place: number, name: string): readonly unknown[] => frames[place]?.fields.find((field) => field.name === name)?.values ?? [];
  const expected = ['v00', ...[1, 2, 3, 4, 5].flatMap((rank) => [`v0${rank}`, `s0${rank}`, `t0${rank}`])];
  for (const place of [0, 1, 2, 4]) {
    const missing = expected.filter((name) => !names(place).includes(name));
    if (missing.length > 0) problems.push(`${frames[place]?.title ?? `variant ${place}`}: columns ${missing.join(', ')} are missing of ${names(place).join(', ')}`);
  }
  if (JSON.stringify(values(0, 'v00')) !== JSON.stringify(['depth %', '0', '50', '100'])) problems.push(`the first column is ${JSON.stringify(values(0, 'v00'))}`);
  const dashed = (place: number): boolean => frames[place]?.fields.some((field) => field.values.some((value) => String(value).includes('dashed'))) ?? false;
  if (dashed(0)) problems.push('an arm that is not continued has a dashed line');
  if (!dashed(1)) problems.push('an arm that is continued has no dashed line');
  for (const word of ['div', 'oom', 'fail']) if (!dom.includes(`>${word}<`)) problems.push(`no square says ${word}`);
  if (!/border-left: ?2px dashed/.test(dom)) problems.push('no cell of the page has a dashed line');
  return problems;
}
