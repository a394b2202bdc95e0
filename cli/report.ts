/**
 * `ropesweep report`: what a sweep found, in the terminal; the HTML report and its figures as files.
 */
import { join } from 'node:path';
import { Command } from 'commander';
import { id, type SweepId } from '../domain/ids.js';
import { homePath } from '../infra/embedded/homeFolder.js';
import { gather } from '../report/gathered.js';
import { figuresIn, pngOf } from '../report/figureFiles.js';
import { renderHtml } from '../report/html/report.js';
import { reportJson } from '../report/json.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';
import { writeOutput } from './outputFile.js';
import { nearby, reportFile, showResults } from './showResults.js';
import { withStore } from './store.js';
import { sweepSource } from './sweepSource.js';

interface ReportOptions {
  readonly out?: string;
  readonly figures?: string;
  readonly json: boolean;
  readonly home?: string;
}

export function reportCommand(): Command {
  return new Command('report')
    .description('Show what a sweep found: heat maps, perplexity, attention, findings with statistics; written as an HTML file too.')
    .argument('<sweep>', 'name of a sweep; it may still be running')
    .addOption(homeOption())
    .option('--out <file>', 'where the HTML report goes (default: reports/SWEEP.html in the home folder)')
    .option('--figures <folder>', 'write each of its figures as NAME.svg and NAME.png too')
    .option('--json', 'print the aggregates as JSON; writes HTML only with --out', false)
    .addHelpText(
      'after',
      `
Colours need a terminal; NO_COLOR=1 turns them off. Every statistic is defined in docs/statistics.md.
ropesweep open serves the same report in a browser.

Examples:
  ropesweep report demo
  ropesweep report demo --out demo.html
  ropesweep report demo --figures figures
  ropesweep report demo --json | jq '.arms[] | [.arm, .reach.contextTokens]'
  ropesweep report demo --json | jq '.findings.pretrainLength[] | [.methodLabel, .overall.difference]'`,
    )
    .action(report);
}

async function report(sweep: string, options: ReportOptions): Promise<void> {
  const rows = await withStore(options, async (store) => gather(await sweepSource(store, id<SweepId>(sweep))));
  const file = options.out ?? reportFile(homePath(options.home), rows);
  const html = options.json && options.out === undefined && options.figures === undefined ? null : await renderHtml(rows);
  if (!options.json) await showResults(rows, file, html);
  else if (html !== null && options.out !== undefined) await writeOutput(file, [html]);
  const figures = html === null || options.figures === undefined ? [] : await writeFigures(html, options.figures);
  if (options.json) printJson({ ...reportJson(rows), ...(options.figures === undefined ? {} : { figures }) });
  else if (options.figures !== undefined) printLine(`figures: ${nearby(options.figures)}, ${String(figures.length)} of them as SVG and PNG`);
}

/** Writes them one after the other, and says what was written. */
async function writeFigures(html: string, folder: string) {
  const written: { readonly name: string; readonly title: string; readonly description: string; readonly svg: string; readonly png: string }[] = [];
  for (const { name, title, description, svg } of figuresIn(html)) {
    const files = { svg: join(folder, `${name}.svg`), png: join(folder, `${name}.png`) };
    await writeOutput(files.svg, [svg]);
    await writeOutput(files.png, [await pngOf({ name, svg })]);
    written.push({ name, title, description, ...files });
  }
  return written;
}
