/**
 * `ropesweep doctor`: every part that a run stands on, whether it works, and how to mend what does not.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import colors from 'picocolors';
import { EXIT } from '../domain/errors.js';
import { doctor, isHealthy, type Check } from '../infra/doctor.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';

interface DoctorOptions {
  readonly json: boolean;
  readonly fetch: boolean;
  readonly home?: string;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check every part that ropesweep needs and say how to mend what is wrong; exit code 0 if all needed parts work.')
    .addOption(homeOption())
    .option('--fetch', 'fetch the Temporal server now if this machine has none', false)
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nExamples:\n  ropesweep doctor\n  ropesweep doctor --fetch\n  ropesweep doctor --json')
    .action(async (options: DoctorOptions) => {
      const checks = await doctor({ ...options, log: (line) => console.error(line) });
      if (options.json) printJson({ healthy: isHealthy(checks), checks });
      else show(checks);
      process.exitCode = isHealthy(checks) ? EXIT.done : EXIT.error;
    });
}

function show(checks: readonly Check[]): void {
  const table = new Table({ head: ['part', 'state', 'detail'], style: { head: [], border: [] }, colWidths: [18, 10, 80], wordWrap: true, wrapOnWordBoundary: false });
  for (const { part, state, needed, detail, mend } of checks) {
    table.push([part, mark(state, needed), mend === undefined ? detail : `${detail}\n-> ${mend}`]);
  }
  printLine(table.toString());
  printLine(isHealthy(checks) ? 'ropesweep can run here' : 'ropesweep cannot run here yet: mend the parts above');
}

function mark(state: Check['state'], needed: boolean): string {
  if (state === 'ok') return colors.green(state);
  return needed ? colors.red(state) : colors.yellow(state);
}
