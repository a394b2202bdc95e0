/**
 * `ropesweep export`: the rows of a sweep as CSV, JSON Lines or Parquet; docs/export.md describes the columns.
 */
import { Command, Option } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import { id, type SweepId } from '../domain/ids.js';
import { VERSION } from '../infra/version.js';
import { exported, EXPORT_FORMATS, type ExportFormat } from '../report/export/exported.js';
import { ROW_KINDS, type RowKind } from '../report/export/tables.js';
import { homeOption } from './options.js';
import { writeOutput, writeStandardOutput } from './outputFile.js';
import { withStore } from './store.js';
import { sweepSource } from './sweepSource.js';

interface ExportCommandOptions {
  readonly rows: RowKind;
  readonly format: ExportFormat;
  readonly out?: string;
  readonly resultsOnly: boolean;
  readonly home?: string;
  readonly json: boolean;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('Write every cell of a sweep with its numbers, one row a cell, in an order that does not depend on the run.')
    .argument('<sweep>', 'name of a sweep; it may still be running')
    .addOption(homeOption())
    .addOption(new Option('--format <format>', 'how the rows are written').choices(EXPORT_FORMATS).default('csv'))
    .addOption(new Option('--rows <rows>', 'which rows, see below').choices(ROW_KINDS).default('cells'))
    .option('--json', 'the same as --format jsonl', false)
    .option('--out <file>', 'write to a file (default: standard output)')
    .option('--results-only', 'leave out which run, when, where and why not: two runs of the same cells give the same bytes', false)
    .addHelpText(
      'after',
      `
Rows:
  cells         one a cell, of every task
  perplexity    one a context length and document, derived from the longest
  attention     one an attention cell and axis, with its mean distribution
  divergences   one an attention cell, axis and reference
  heads         one an attention cell, axis, layer, head and bin: long

All formats have the same columns: docs/export-columns.md describes them. Rows are read as they are written, so that a
million of them need no more memory than a thousand.

Examples:
  ropesweep export demo --format csv --out demo.csv
  ropesweep export demo --format jsonl | jq 'select(.exactMatch == false)'
  ropesweep export demo --format parquet --out demo.parquet
  duckdb -c "SELECT arm, contextTokens, avg(exactMatch::int) FROM 'demo.parquet' GROUP BY ALL ORDER BY ALL"
  ropesweep export demo --format csv --results-only | sha256sum
  ropesweep export smollm2 --rows perplexity`,
    )
    .action(exportSweep);
}

async function exportSweep(sweep: string, options: ExportCommandOptions): Promise<void> {
  const { rows, resultsOnly, out } = options;
  const format = options.json ? 'jsonl' : options.format;
  if (format === 'parquet' && out === undefined && process.stdout.isTTY) {
    throw new RopesweepError('OPTION_INVALID', { where: '--format parquet', what: 'it is not for a terminal', mend: 'Name a file with --out, or redirect standard output.' });
  }
  await withStore(options, async (store) => {
    const pieces = exported(await sweepSource(store, id<SweepId>(sweep)), { rows, format, resultsOnly, version: VERSION });
    await (out === undefined ? writeStandardOutput(pieces) : writeOutput(out, pieces));
  });
}
