/**
 * `ropesweep db`: what the store takes on disk, and removing what no sweep needs.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import type { Prunable } from '../results/pruning.js';
import type { StoreSize } from '../results/size.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';
import { number, scaled } from './quantities.js';
import { withStoreIfAny, type StoreOptions } from './store.js';

interface DbOptions extends StoreOptions {
  readonly json: boolean;
}

const NO_STORE = 'no store yet: ropesweep run sweeps/demo.yaml makes one';

export function dbCommand(): Command {
  return new Command('db').description('Look at the size of the store, and remove what no sweep needs.').addCommand(sizeCommand()).addCommand(pruneCommand());
}

function sizeCommand(): Command {
  return new Command('size')
    .description('Show rows and bytes by table, and what each sweep has.')
    .addOption(homeOption())
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nBytes of a sweep are those of the rows of its measurements, without indexes; measurements are shared between sweeps.\n\nExamples:\n  ropesweep db size\n  ropesweep db size --json')
    .action(async (options: DbOptions) => {
      const size = await withStoreIfAny(options, (store) => store.size());
      if (options.json) printJson(size ?? { bytes: 0, tables: [], sweeps: [] });
      else printLine(size === null ? NO_STORE : sizeText(size));
    });
}

function pruneCommand(): Command {
  return new Command('prune')
    .description('Remove what no sweep needs: measurements and outcomes of deleted sweeps, superseded shards, leftovers of old revisions.')
    .option('--yes', 'remove it; without this it is only shown', false)
    .addOption(homeOption())
    .option('--json', 'as JSON', false)
    .addHelpText(
      'after',
      `
A measurement that a sweep has is never removed. Sweeps may run meanwhile. PostgreSQL fills the freed space again; the files
themselves get smaller by VACUUM FULL.

Examples:
  ropesweep db prune             what would be removed
  ropesweep db prune --yes       remove it`,
    )
    .action(async ({ yes, ...options }: DbOptions & { yes: boolean }) => {
      const found = await withStoreIfAny(options, (store) => (yes ? store.prune() : store.prunable()));
      if (options.json) printJson({ removed: yes, kinds: found ?? [] });
      else printLine(found === null ? NO_STORE : pruneText(found, yes));
    });
}

const table = (head: readonly string[], numbersFrom: number): Table.Table =>
  new Table({ head: [...head], style: { head: [], border: [] }, colAligns: head.map((_, column) => (column < numbersFrom ? 'left' : 'right')) });

function sizeText({ bytes, tables, sweeps }: StoreSize): string {
  const byTable = table(['table', 'rows', 'bytes'], 1);
  for (const one of tables) byTable.push([one.table, number(one.rows), scaled(one.bytes, 'B')]);
  const bySweep = table(['sweep', 'cells', 'measurements', 'shared', 'bytes', 'shards', 'revisions'], 1);
  for (const one of sweeps) bySweep.push([one.sweep, number(one.cells), number(one.measurements), number(one.shared), scaled(one.bytes, 'B'), number(one.shards), one.revisions]);
  return [byTable.toString(), sweeps.length === 0 ? 'no sweeps yet' : bySweep.toString(), `the database takes ${scaled(bytes, 'B')}`].join('\n');
}

function pruneText(found: readonly Prunable[], removed: boolean): string {
  const some = found.filter(({ rows }) => rows > 0);
  if (some.length === 0) return 'nothing to remove: sweeps need all that the store has';
  const kinds = table([removed ? 'removed' : 'would be removed', 'rows', 'bytes'], 1);
  for (const { what, rows, bytes } of some) kinds.push([what, number(rows), scaled(bytes, 'B')]);
  return removed ? kinds.toString() : `${kinds.toString()}\nropesweep db prune --yes removes it`;
}
