/**
 * `ropesweep report`: the heat maps and the arm table of a sweep in the terminal, and the HTML report as a file.
 */
import { Command } from 'commander';
import { id, type SweepId } from '../domain/ids.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { renderHtml } from '../report/html/report.js';
import { reportJson } from '../report/json.js';
import { homeOption } from './options.js';
import { printJson } from './output.js';
import { writeOutput } from './outputFile.js';
import { reportFile, showResults } from './showResults.js';
import { withStore } from './store.js';

interface ReportOptions {
  readonly out?: string;
  readonly json: boolean;
  readonly home?: string;
}

export function reportCommand(): Command {
  return new Command('report')
    .description('Show the needle heat maps and the arm table of a sweep, and write them as an HTML file.')
    .argument('<sweep>', 'name of a sweep; it may still be running')
    .addOption(homeOption())
    .option('--out <file>', 'where the HTML report goes (default: reports/SWEEP.html in the home folder)')
    .option('--json', 'print the aggregates as JSON; writes HTML only with --out', false)
    .addHelpText(
      'after',
      `
Colours need a terminal; NO_COLOR=1 turns them off.

Examples:
  ropesweep report demo
  ropesweep report demo --out demo.html
  ropesweep report demo --json | jq '.arms[] | [.arm, .reach.contextTokens]'`,
    )
    .action(report);
}

async function report(sweep: string, options: ReportOptions): Promise<void> {
  const rows = await withStore(options, (store) => store.rows(id<SweepId>(sweep)));
  const file = options.out ?? reportFile(homePath(options.home), rows);
  if (!options.json) return showResults(rows, file);
  printJson(reportJson(rows));
  if (options.out !== undefined) await writeOutput(file, [await renderHtml(rows)]);
}
