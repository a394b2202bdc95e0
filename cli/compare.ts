/** `ropesweep compare`: two sweeps, or two arms, side by side. */
import { Command } from 'commander';
import { id, type SweepId } from '../domain/ids.js';
import { compare } from '../report/comparison/comparison.js';
import { comparisonJson } from '../report/comparison/json.js';
import { sideName, sideOf } from '../report/comparison/side.js';
import { comparisonLines } from '../report/terminal/comparisonLines.js';
import { terminalStyle } from '../report/terminal/style.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';
import { withStore } from './store.js';
import { sweepSource } from './sweepSource.js';

interface CompareOptions {
  readonly json: boolean;
  readonly home?: string;
}

export function compareCommand(): Command {
  return new Command('compare')
    .description('Compare two sweeps, or two arms: reach, recall, entropy, perplexity, and what differs between them.')
    .argument('<a>', 'a sweep, or SWEEP:ARM with the label of an arm as a report shows it')
    .argument('<b>', 'another, or another arm of the same')
    .addOption(homeOption())
    .option('--json', 'as JSON', false)
    .addHelpText(
      'after',
      `
Arms are matched by label, else by method and continual-pretrain length; two named arms are matched whatever they are.
Differences are b - a, paired by context length, depth and seed (perplexity: by document) of the cells that both have, with
95 % intervals by seed or document where there are five or more (docs/statistics.md).
Revisions of one sweep share their cells, so there is nothing to compare between them.

Examples:
  ropesweep compare demo demo-more-seeds
  ropesweep compare 'demo:yarn 8' 'demo:ntk 8'
  ropesweep compare demo other --json | jq '.arms[] | [.a.arm, .needle[0].recall.difference]'`,
    )
    .action(compareSides);
}

async function compareSides(first: string, second: string, options: CompareOptions): Promise<void> {
  const [one, other] = [sideName(first), sideName(second)];
  const { a, b } = await withStore(options, async (store) => {
    const side = async ({ sweep, arm }: typeof one) => sideOf(await sweepSource(store, id<SweepId>(sweep)), arm);
    return { a: await side(one), b: await side(other) };
  });
  const comparison = compare(a, b);
  if (options.json) printJson(comparisonJson(comparison));
  else printLine(comparisonLines(comparison, terminalStyle(process.stdout)).join('\n'));
}
