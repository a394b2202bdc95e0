/**
 * The verbs that steer a sweep: pause, resume, stop, cancel, set. What is wanted is written to the store first, then its
 * workflow is told to look; so each may be said twice, and is obeyed even where Temporal was away when it was said.
 */
import { Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import type { SweepId } from '../domain/ids.js';
import { LOWEST_PRIORITY, MAXIMUM_CONCURRENCY } from '../domain/orchestration.js';
import type { Steered, SweepWish } from '../domain/ports.js';
import { isEnded } from '../domain/states.js';
import { wholeNumber } from '../infra/commandLine.js';
import type { PrismaStore } from '../results/store.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';
import { withSweeps, type StoreOptions } from './store.js';
import type { SweepWorkflows } from './sweepWorkflows.js';

interface SteerOptions extends StoreOptions {
  readonly json: boolean;
}

const steering = (name: string, description: string, help: string): Command =>
  new Command(name)
    .description(description)
    .argument('<sweep>', 'name of a sweep (ropesweep status lists them)')
    .addOption(homeOption())
    .option('--json', 'what it was and what it is now, as JSON', false)
    .addHelpText('after', `\n${help}`);

export const pauseCommand = (): Command =>
  steering('pause', 'Start nothing new of a sweep; what is in flight goes on to its end.', 'Takes effect within seconds. ropesweep resume goes on.\n\nExample:\n  ropesweep pause demo').action((sweep: string, options: SteerOptions) =>
    act(sweep, { verb: 'pause' }, options),
  );

export const resumeCommand = (): Command =>
  steering(
    'resume',
    'Go on with a sweep that was paused, stopped or cancelled.',
    'A sweep that has ended is resumed where something runs it (ropesweep up, or a cluster): its plan is in the store. To go on\nwith a changed sweep file, run the file.\n\nExample:\n  ropesweep resume demo',
  ).action((sweep: string, options: SteerOptions) => act(sweep, { verb: 'resume' }, options));

export const stopCommand = (): Command =>
  steering(
    'stop',
    'Drain a sweep: what is in flight goes on to its end, then the sweep ends as stopped.',
    'Measured cells are kept; running it again, or ropesweep resume, goes on.\n\nExample:\n  ropesweep stop demo',
  ).action((sweep: string, options: SteerOptions) => act(sweep, { verb: 'stop' }, options));

export const cancelCommand = (): Command =>
  steering(
    'cancel',
    'Kill what is in flight of a sweep and keep what is measured.',
    'Slots are killed with the next heartbeat of their worker (10 s at most). Running it again, or ropesweep resume, goes on.\n\nExample:\n  ropesweep cancel demo',
  ).action((sweep: string, options: SteerOptions) => act(sweep, { verb: 'cancel' }, options));

export const setCommand = (): Command =>
  steering(
    'set',
    'Change the concurrency or the priority of a sweep while it runs.',
    `Holds until the sweep file is run with other cells. Shards in flight above a lower concurrency go on to their end; shards that
wait in a queue are served with the new priority, those that run are not interrupted.

Examples:
  ropesweep set demo --concurrency 4
  ropesweep set demo --priority 1      served before all sweeps of priority 2 to 5`,
  )
    .option('--concurrency <n>', `shards in flight at once, 1 to ${String(MAXIMUM_CONCURRENCY)}`, between('--concurrency', 1, MAXIMUM_CONCURRENCY))
    .option('--priority <n>', `1 (first) to ${String(LOWEST_PRIORITY)} (last)`, between('--priority', 1, LOWEST_PRIORITY))
    .action((sweep: string, options: SteerOptions & { concurrency?: number; priority?: number }) => {
      const { concurrency, priority } = options;
      if (concurrency === undefined && priority === undefined) {
        throw new RopesweepError('OPTION_INVALID', { where: 'ropesweep set', what: 'nothing is to be set', mend: 'Give --concurrency N or --priority N.' });
      }
      return act(sweep, { verb: 'set', ...(concurrency !== undefined && { concurrency }), ...(priority !== undefined && { priority }) }, options);
    });

function between(option: string, least: number, most: number): (text: string) => number {
  const parse = wholeNumber(option, least);
  return (text) => {
    const value = parse(text);
    if (value <= most) return value;
    throw new RopesweepError('OPTION_INVALID', { where: option, what: `${text} is more than ${String(most)}`, mend: `Use ${String(least)} to ${String(most)}.` });
  };
}

async function act(name: string, wish: SweepWish, options: SteerOptions): Promise<void> {
  const sweep = name as SweepId;
  const steered = await withSweeps(options, (store, workflows) => steer(store, workflows, sweep, wish));
  if (options.json) printJson({ sweep, ...steered });
  else printLine(words(sweep, wish, steered));
}

/** @throws RopesweepError SWEEP_UNKNOWN, SWEEP_STATE, STACK_NEEDED */
export async function steer(store: PrismaStore, workflows: SweepWorkflows | null, sweep: SweepId, wish: SweepWish): Promise<Steered> {
  const resumes = wish.verb === 'resume';
  if (resumes && workflows === null) {
    throw new RopesweepError('STACK_NEEDED', { where: `sweep ${sweep}`, what: 'nothing runs here that could go on with it', mend: 'Run its file again, or start a stack that stays with ropesweep up.' });
  }
  const steered = await store.steer(sweep, wish);
  if (resumes) await workflows?.start(sweep);
  else if ((await workflows?.tell(sweep)) !== true && !isEnded(steered.after) && (wish.verb === 'stop' || wish.verb === 'cancel')) {
    // Nobody works on it any more, so nobody else will write its end.
    return { ...steered, after: await store.finishSweep(sweep, wish.verb === 'stop' ? 'stopped' : 'cancelled') };
  }
  return steered;
}

const IS_NOW: Readonly<Record<Steered['after'], string>> = {
  running: 'running',
  paused: 'paused: what is in flight goes on to its end',
  stopping: 'stopping: what is in flight goes on to its end',
  cancelling: 'being cancelled: its slots are being killed',
  done: 'done',
  incomplete: 'incomplete',
  stopped: 'stopped',
  cancelled: 'cancelled',
};

function words(sweep: SweepId, wish: SweepWish, { before, after, concurrency, priority }: Steered): string {
  if (wish.verb === 'set') return `${sweep}: concurrency ${String(concurrency)}, priority ${String(priority)}`;
  return before === after ? `${sweep} was ${before} already` : `${sweep} is ${IS_NOW[after]}`;
}
