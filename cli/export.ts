/**
 * `ropesweep export`: one row per cell, or perplexity by context length, as CSV or JSON Lines; the columns are described in
 * docs/export.md.
 */
import { Command, Option } from 'commander';
import { id, type SweepId } from '../domain/ids.js';
import { exportRows } from '../report/export/exportRows.js';
import { EXPORT_FORMATS, type ExportFormat } from '../report/export/formatted.js';
import { exportPerplexity } from '../report/export/perplexityRows.js';
import { homeOption } from './options.js';
import { writeOutput, writeStandardOutput } from './outputFile.js';
import { withStore } from './store.js';

const ROWS = ['cells', 'perplexity'] as const;

interface ExportCommandOptions {
  readonly rows: (typeof ROWS)[number];
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
    .addOption(new Option('--rows <rows>', 'cells: one row a cell; perplexity: one row a context length and document, derived from the longest').choices(ROWS).default('cells'))
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
  ropesweep export demo --format csv --results-only | sha256sum
  ropesweep export smollm2 --rows perplexity`,
    )
    .action(exportSweep);
}

async function exportSweep(sweep: string, options: ExportCommandOptions): Promise<void> {
  const rows = await withStore(options, (store) => store.rows(id<SweepId>(sweep)));
  const format = options.json ? 'jsonl' : options.format;
  const text = options.rows === 'perplexity' ? exportPerplexity(rows, format) : exportRows(rows, { ...options, format });
  await (options.out === undefined ? writeStandardOutput(text) : writeOutput(options.out, text));
}
