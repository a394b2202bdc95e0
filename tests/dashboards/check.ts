/**
 * `npm run check:dashboards`: the rules that every dashboard keeps. With --cells also the proof at that size: every query on a
 * generated store as the read-only login, each within its limit and by an index.
 */
import { readFileSync } from 'node:fs';
import Table from 'cli-table3';
import { Command } from 'commander';
import type pg from 'pg';
import { generateDashboards } from '../../dashboards/generate.js';
import { lintDashboards } from '../../dashboards/lint.js';
import { exitCodeOf, wholeNumber } from '../../infra/commandLine.js';
import { packageFile } from '../../infra/packageRoot.js';
import { LARGE_SWEEP, withLargeStore } from './largeStore.js';
import { allQueries, lastDay, time } from './proof.js';
import { readAs } from './reader.js';

/** Milliseconds that a query may take, as its client sees it. */
const LIMIT_MS = 100;

const prove = (cells: number): Promise<boolean> =>
  withLargeStore(cells, async (url) => {
    const reader = await readAs(url, { name: 'grafana', password: 'grafana' });
    return await measure(reader).finally(() => reader.end());
  });

async function measure(reader: pg.Client): Promise<boolean> {
  const table = new Table({ head: ['query', 'rows', 'plan ms', 'run ms', 'wall ms', 'reads whole'], style: { head: [], border: [] }, colAligns: ['left', 'right', 'right', 'right', 'right', 'left'] });
  let held = true;
  for (const query of await allQueries(reader, lastDay(), { sweep: LARGE_SWEEP })) {
    const { name, rows, planningMs, executionMs, wallMs, scans } = await time(reader, query);
    if (wallMs > LIMIT_MS || scans.length > 0) held = false;
    table.push([name, rows, planningMs.toFixed(1), executionMs.toFixed(1), wallMs.toFixed(1), scans.join(' ')]);
  }
  console.log(table.toString());
  return held;
}

try {
  await new Command('npm run check:dashboards --')
    .description('Check the rules that every dashboard keeps; with --cells also every query on a generated store of that size.')
    .option('--cells <n>', 'cells of the generated store, a multiple of 5,000', wholeNumber('--cells'))
    .addHelpText('after', '\nExamples:\n  npm run check:dashboards\n  npm run check:dashboards -- --cells 1000000')
    .exitOverride()
    .action(async ({ cells }: { cells?: number }) => {
      const problems = lintDashboards(generateDashboards(), readFileSync(packageFile('docs', 'grafana.md'), 'utf8'));
      for (const problem of problems) console.error(problem);
      if (problems.length === 0) console.log('every dashboard keeps the rules');
      if (problems.length > 0 || (cells !== undefined && !(await prove(cells)))) process.exitCode = 1;
    })
    .parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
