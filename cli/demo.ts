/** `ropesweep demo`: the sweep that ships with ropesweep, on the starter models. */
import { Command } from 'commander';
import { PACKAGE_ROOT, packageFile } from '../infra/packageRoot.js';
import { homeOption, setOption, slotOption } from './options.js';
import { runAction, type RunOptions } from './run.js';

export function demoCommand(): Command {
  return new Command('demo')
    .description('Run sweeps/demo.yaml: 10 arms of a small model family, 620 cells, about half a minute.')
    .addOption(setOption())
    .addOption(slotOption())
    .addOption(homeOption())
    .option('--no-report', 'do not draw heat maps and write the HTML report at the end')
    .option('--json', 'one JSON event a line in place of text', false)
    .addHelpText('after', '\nExamples:\n  ropesweep demo\n  ropesweep demo --home /tmp/ropesweep-demo')
    .action((options: RunOptions) => {
      // Its models ship with it, wherever the command is run from.
      process.env['ROPESWEEP_ROOTS'] ??= PACKAGE_ROOT;
      return runAction(packageFile('sweeps', 'demo.yaml'), options);
    });
}
