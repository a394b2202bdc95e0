/**
 * `npm run check:panels`: every panel of every dashboard, from its queries to what Grafana's own code makes of them, on a small
 * store with everything and on an empty one. With a folder the panels are drawn too, into pictures to be looked at.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import getPort from 'get-port';
import pg from 'pg';
import { RopesweepError } from '../../domain/errors.js';
import { exitCodeOf } from '../../infra/commandLine.js';
import { packageFile } from '../../infra/packageRoot.js';
import { startPostgres } from '../../infra/embedded/postgres.js';
import { migrate } from '../../results/migrate.js';
import type { Values } from '../dashboards/grafanaSql.js';
import { lastDay } from '../dashboards/proof.js';
import { asOwner, fillTaskStore } from '../dashboards/taskStore.js';
import { CHROMIUM, launchChromium } from '../stack/chromium.js';
import { bundlePage, draw } from './draw.js';
import { problemsOf, type Outcome } from './needs.js';
import { variantsOf, type Variant } from './variants.js';

/** With packages of its own, which nothing else may find. */
const HERE = packageFile('tests', 'panels', 'grafana');

interface Grafana {
  outcomeOf(variant: Variant): Promise<Outcome>;
}

/** Grafana's packages are no Node modules as they are: esbuild makes one. */
function loadGrafana(work: string): Grafana {
  if (!existsSync(join(HERE, 'node_modules'))) execFileSync('npm', ['ci'], { cwd: HERE, stdio: 'inherit' });
  const bundle = join(work, 'grafana.cjs');
  execFileSync(join(HERE, 'node_modules/.bin/esbuild'), ['grafana.js', '--bundle', '--platform=node', '--format=cjs', `--outfile=${bundle}`, '--log-level=error'], { cwd: HERE, stdio: 'inherit' });
  return createRequire(import.meta.url)(bundle) as Grafana;
}

/** Samples of a day, or every line over time would be a point. */
const SAMPLES = `INSERT INTO queue_samples (queue, kind, sampled_at, backlog, backlog_age_seconds, added_per_second, dispatched_per_second, pollers)
  SELECT queue, kind, sampled_at - n * interval '5 minutes', backlog + n % 7, backlog_age_seconds + n % 5, added_per_second + n % 3, dispatched_per_second + n % 4, pollers + n % 2
  FROM queue_samples, generate_series(1, 250) AS n;
  INSERT INTO progress_minutes (sweep_id, minute, cells, tokens)
  SELECT sweep_id, minute - n * interval '5 minutes', cells + n % 9, tokens + 1000 * (n % 11) FROM progress_minutes, generate_series(1, 250) AS n
  ON CONFLICT DO NOTHING`;

/** Variants on a store; what Grafana's code makes of each is checked and told, a line a panel. */
async function check(grafana: Grafana, store: string, url: string, chosen: Values): Promise<{ variants: Variant[]; held: boolean }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const variants = await variantsOf(client, lastDay(new Date(Date.now() + 60_000)), chosen).finally(() => client.end());
  let held = true;
  for (const variant of variants) {
    const { dashboard, title, panel } = variant;
    const outcome = await grafana.outcomeOf(variant).catch((error: unknown) => error as Error);
    const problems = outcome instanceof Error ? [outcome.message] : problemsOf(panel, outcome);
    console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${store}: ${dashboard} ${panel.id} ${panel.type}, ${title}${outcome instanceof Error ? '' : `: ${told(panel.type, outcome)}`}`);
    for (const problem of problems) console.log(`       ${problem}`);
    if (problems.length > 0) held = false;
  }
  return { variants, held };
}

function told(type: string, { rows, frames: [frame], figures }: Outcome): string {
  if (rows.every((count) => count === 0)) return 'no row';
  return type === 'stat' ? figures.map(({ title, text }) => `${title} ${text}`).join(', ') : `${frame?.fields.length ?? 0} fields, ${frame?.length ?? 0} rows`;
}

async function drawAll(folder: string, checked: Readonly<Record<string, { readonly variants: readonly Variant[] }>>): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  bundlePage(folder);
  const browser = await launchChromium();
  try {
    const problems = [];
    for (const [store, { variants }] of Object.entries(checked)) problems.push(...(await draw(browser, folder, store, variants)));
    return problems;
  } finally {
    await browser.close();
  }
}

async function run(folder: string | undefined, { store }: { store?: string }): Promise<boolean> {
  if (folder !== undefined && CHROMIUM === null) {
    throw new RopesweepError('CONFIG_INVALID', { where: 'CHROME_PATH', what: 'there is no Chromium to draw with', mend: 'install Chromium or Chrome (Debian: chromium), or set CHROME_PATH to one; without FOLDER nothing is drawn' });
  }
  const work = mkdtempSync(join(tmpdir(), 'ropesweep-panels-'));
  const server = await startPostgres({ folder: join(work, 'postgres'), port: await getPort(), logFile: join(work, 'postgres.log'), durable: false, onSpawn: () => undefined });
  try {
    const grafana = loadGrafana(work);
    const empty = new URL(server.url);
    empty.pathname = '/empty';
    await asOwner(server.url, 'CREATE DATABASE empty');
    await migrate(server.url);
    await migrate(empty.href);
    const plan = await fillTaskStore(server.url);
    await asOwner(server.url, SAMPLES);
    const [, continued, other] = plan.arms.map(({ id }) => id as string);
    const checked = {
      small: await check(grafana, 'small', server.url, { sweep: 'shown', arm_a: continued ?? '', arm_b: other ?? '' }),
      empty: await check(grafana, 'empty', empty.href, {}),
      ...(store === undefined ? {} : { store: await check(grafana, 'store', store, {}) }),
    };
    const drawn = folder === undefined ? [] : await drawAll(resolve(folder), checked);
    for (const problem of drawn) console.log(`FAIL ${problem}`);
    return drawn.length === 0 && Object.values(checked).every(({ held }) => held);
  } finally {
    await server.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

try {
  await new Command('npm run check:panels --')
    .description("Run every panel of every dashboard through Grafana's own code, on a small store and on an empty one; with FOLDER draw them too.")
    .argument('[FOLDER]', 'where the pictures go; needs Chromium (CHROME_PATH, or on PATH)')
    .option('--store <url>', 'a third store, which is read: postgresql://...')
    .addHelpText('after', '\nExamples:\n  npm run check:panels\n  npm run check:panels -- /tmp/panels\n  npm run check:panels -- /tmp/panels --store postgresql://postgres@127.0.0.1:5433/ropesweep')
    .exitOverride()
    .action(async (folder: string | undefined, options: { store?: string }) => {
      if (!(await run(folder, options))) process.exitCode = 1;
    })
    .parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
