/**
 * The ropesweep command: one file a verb. Every verb throws; this file alone prints errors and sets exit codes.
 */
import { Command } from 'commander';
import { EXIT } from '../domain/errors.js';
import { exitCodeOf } from '../infra/commandLine.js';
import { demoCommand } from './demo.js';
import { deviceCommand } from './device.js';
import { doctorCommand } from './doctor.js';
import { exportCommand } from './export.js';
import { forwardCommand } from './forward.js';
import { grafanaRoleCommand } from './grafanaRole.js';
import { fetchCommand } from './modelFetch.js';
import { inspectCommand } from './modelInspect.js';
import { verifyCommand } from './modelVerify.js';
import { watchOutput } from './output.js';
import { planCommand } from './plan.js';
import { reportCommand } from './report.js';
import { ropeCommand } from './rope.js';
import { runCommand } from './run.js';
import { statusCommand } from './status.js';
import { textCommand } from './text.js';
import { VERSION } from '../infra/version.js';

export function program(): Command {
  const model = new Command('model').description('Look at, run and fetch one checkpoint.').addCommand(inspectCommand()).addCommand(verifyCommand()).addCommand(forwardCommand()).addCommand(fetchCommand());
  return new Command('ropesweep')
    .description('Sweeps of RoPE method x continual-pretrain length x context length x needle depth, resumable after anything.')
    .version(VERSION)
    .showHelpAfterError('(see --help)')
    .addCommand(runCommand())
    .addCommand(planCommand())
    .addCommand(statusCommand())
    .addCommand(reportCommand())
    .addCommand(exportCommand())
    .addCommand(ropeCommand())
    .addCommand(model)
    .addCommand(textCommand())
    .addCommand(deviceCommand())
    .addCommand(doctorCommand())
    .addCommand(new Command('worker').description('Run a worker: evaluation slots, workflows (ropesweep worker --help).').allowUnknownOption())
    .addCommand(grafanaRoleCommand())
    .addCommand(demoCommand())
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 error, 2 bad input, 3 incomplete (cells failed or were not reached).

Examples:
  ropesweep plan sweeps/demo.yaml            what would run, what is cached and why
  ropesweep run sweeps/demo.yaml             run it, or go on with it
  ropesweep status                           the sweeps of the store
  ropesweep export demo --format csv         one row per cell`,
    );
}

/** Settings that addCommand does not hand down: every verb reports its own mistakes by throwing. */
function throwing(command: Command): Command {
  command.exitOverride();
  command.commands.forEach(throwing);
  return command;
}

async function main(): Promise<number> {
  try {
    await throwing(program()).parseAsync(process.argv);
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    return exitCodeOf(error);
  }
}

watchOutput();
const exitCode = await main();
// Libraries keep timers (the migration engine one of 10 s) that must not hold the shell; what was printed goes out first.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((written) => stream.write('', written))));
process.exit(exitCode);
