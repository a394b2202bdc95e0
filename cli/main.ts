/**
 * The ropesweep command: one file a verb. Every verb throws; this file alone prints errors and sets exit codes.
 */
import { Command } from 'commander';
import { EXIT } from '../domain/errors.js';
import { exitCodeOf } from '../infra/commandLine.js';
import { VERSION } from '../infra/version.js';
import { watchOutput } from './output.js';

/** Verbs in the order of --help. Only the one that is asked for is loaded: some bring an engine, a chart library, a database client. */
const VERBS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.js')).runCommand(),
  plan: async () => (await import('./plan.js')).planCommand(),
  status: async () => (await import('./status.js')).statusCommand(),
  watch: async () => (await import('./watchSweep.js')).watchSweepCommand(),
  why: async () => (await import('./why.js')).whyCommand(),
  pause: async () => (await import('./steer.js')).pauseCommand(),
  resume: async () => (await import('./steer.js')).resumeCommand(),
  stop: async () => (await import('./steer.js')).stopCommand(),
  cancel: async () => (await import('./steer.js')).cancelCommand(),
  set: async () => (await import('./steer.js')).setCommand(),
  retry: async () => (await import('./retry.js')).retryCommand(),
  delete: async () => (await import('./delete.js')).deleteCommand(),
  up: async () => (await import('./up.js')).upCommand(),
  down: async () => (await import('./down.js')).downCommand(),
  report: async () => (await import('./report.js')).reportCommand(),
  open: async () => (await import('./open.js')).openCommand(),
  compare: async () => (await import('./compare.js')).compareCommand(),
  export: async () => (await import('./export.js')).exportCommand(),
  db: async () => (await import('./db.js')).dbCommand(),
  rope: async () => (await import('./rope.js')).ropeCommand(),
  model: async () => (await import('./model.js')).modelCommand(),
  text: async () => (await import('./text.js')).textCommand(),
  device: async () => (await import('./device.js')).deviceCommand(),
  doctor: async () => (await import('./doctor.js')).doctorCommand(),
  worker: () => Promise.resolve(new Command('worker').description('Run a worker: evaluation slots, workflows (ropesweep worker --help).').allowUnknownOption()),
  'grafana-role': async () => (await import('./grafanaRole.js')).grafanaRoleCommand(),
  demo: async () => (await import('./demo.js')).demoCommand(),
};

/** The command with the verb that is asked for, or with all of them. */
async function program(verb: string | undefined): Promise<Command> {
  const asked = verb === undefined ? undefined : VERBS[verb];
  const commands = await Promise.all((asked === undefined ? Object.values(VERBS) : [asked]).map((load) => load()));
  const command = new Command('ropesweep')
    .description('Sweeps of RoPE method x continual-pretrain length x context length x needle depth, resumable after anything.')
    .version(VERSION)
    .showHelpAfterError('(see --help)')
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 error, 2 bad input, 3 incomplete (cells failed or were not reached).

Examples:
  ropesweep plan sweeps/demo.yaml            what would run, what is cached and why
  ropesweep run sweeps/demo.yaml             run it, or go on with it
  ropesweep watch                            watch it run, from another terminal
  ropesweep status                           the sweeps of the store
  ropesweep export demo --format csv         one row per cell`,
    );
  for (const one of commands) command.addCommand(one);
  return command;
}

/** Settings that addCommand does not hand down: every verb reports its own mistakes by throwing. */
function throwing(command: Command): Command {
  command.exitOverride();
  command.commands.forEach(throwing);
  return command;
}

async function main(): Promise<number> {
  try {
    await throwing(await program(process.argv[2])).parseAsync(process.argv);
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
