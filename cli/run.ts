/**
 * `ropesweep run`: a sweep file -> its results, on the embedded stack or on configured servers.
 */
import { Command } from 'commander';
import { id, type SweepId } from '../domain/ids.js';
import { EXIT } from '../domain/errors.js';
import { gather } from '../report/gathered.js';
import { slotOption, setOption, homeOption } from './options.js';
import { HumanDisplay, JsonDisplay, type RunDisplay } from './progress.js';
import { readSweepFile, refuseMissing } from './planning.js';
import { runSweep } from './runSweep.js';
import { runWords } from './runWords.js';
import { sweepSource } from './sweepSource.js';

export interface RunOptions {
  readonly set: string[];
  readonly json: boolean;
  readonly home?: string;
  readonly slots?: number;
  readonly detach?: boolean;
  /** commander's name for --no-report. */
  readonly report: boolean;
}

export function runCommand(): Command {
  return new Command('run')
    .description('Run a sweep, go on with one that was interrupted, or extend one whose file has grown.')
    .argument('<spec>', 'sweep file (YAML or JSON)')
    .addOption(setOption())
    .addOption(slotOption())
    .addOption(homeOption())
    .option('--detach', 'submit and return at once; ropesweep up or a cluster runs it', false)
    .option('--no-report', 'do not draw heat maps and write the HTML report at the end')
    .option('--json', 'one JSON event a line in place of text', false)
    .addHelpText(
      'after',
      `
With nothing configured it starts PostgreSQL and a Temporal server under .ropesweep/ and stops them at the end.
Several sweeps may run at once: a second run uses the servers and the worker of the first, or those of ropesweep up.
With DATABASE_URL and TEMPORAL_ADDRESS set it uses those servers and the workers that run there.
Cells that the store already has are not computed again; Ctrl-C keeps what is done, the same command goes on.

Exit codes: 0 done, 1 error, 2 bad input, 3 incomplete.

Examples:
  ropesweep run sweeps/demo.yaml
  ropesweep run sweeps/demo.yaml --set contextTokens=[128,256,2048]
  ropesweep run sweeps/demo.yaml --json | tail -1`,
    )
    .action((spec: string, options: RunOptions) => runAction(spec, options));
}

/** Runs, shows, and sets the exit code; `demo` calls it with its own file. */
export async function runAction(file: string, options: RunOptions): Promise<void> {
  const sweepFile = await readSweepFile(file, options.set);
  refuseMissing(sweepFile);
  const live = process.stdout.isTTY && !options.json;
  const display: RunDisplay = options.json ? new JsonDisplay() : new HumanDisplay(live, runWords);
  const finished = await runSweep(sweepFile, {
    ...(options.home === undefined ? {} : { home: options.home }),
    ...(options.slots === undefined ? {} : { slots: options.slots }),
    detach: options.detach === true,
    display,
    atEnd: async (store, home) => {
      if (!options.report || options.json) return;
      const { reportFile, showResults } = await import('./showResults.js');
      const rows = await gather(await sweepSource(store, id<SweepId>(sweepFile.spec.name)));
      await showResults(rows, reportFile(home, rows));
    },
  });
  display.emit(finished);
  process.exitCode = finished.event === 'detached' || finished.state === 'done' ? EXIT.done : EXIT.incomplete;
}
