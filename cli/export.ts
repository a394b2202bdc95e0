/**
 * `ropesweep export`: one row per cell as CSV or JSON Lines; the columns are described in docs/export.md.
 */
import { Command, Option } from 'commander';
import { id, type SweepId } from '../domain/ids.js';
import { EXPORT_FORMATS, exportRows, type ExportFormat } from '../report/export/exportRows.js';
import { homeOption } from './options.js';
import { writeOutput, writeStandardOutput } from './outputFile.js';
import { withStore } from './store.js';

interface ExportCommandOptions {
  readonly format: ExportFormat;
  readonly out?: string;
  readonly resultsOnly: boolean;
  readonly home?: string;
  readonly json: boolean;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('Print every cell of a sweep with its numbers, one row a cell, in an order that does not depend on the run.')
    .argument('<sweep>', 'name of a sweep')
    .addOption(homeOption())
    .addOption(new Option('--format <format>', 'how the rows are written').choices(EXPORT_FORMATS).default('csv'))
    .option('--json', 'the same as --format jsonl', false)
    .option('--out <file>', 'write to a file (default: standard output)')
    .option('--results-only', 'leave out which run, when, where and why not: two runs of the same cells give the same bytes', false)
    .addHelpText(
      'after',
      `
The columns are described in docs/export.md.

Examples:
  ropesweep export demo --format csv --out demo.csv
  ropesweep export demo --format jsonl | jq 'select(.exactMatch == false)'
  ropesweep export demo --format csv --results-only | sha256sum`,
    )
    .action(exportSweep);
}

async function exportSweep(sweep: string, options: ExportCommandOptions): Promise<void> {
  const rows = await withStore(options, (store) => store.rows(id<SweepId>(sweep)));
  const text = exportRows(rows, { ...options, format: options.json ? 'jsonl' : options.format });
  await (options.out === undefined ? writeStandardOutput(text) : writeOutput(options.out, text));
}
