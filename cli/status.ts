/**
 * `ropesweep status`: the sweeps of the store, or one of them with what went wrong in it.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import type { SweepId } from '../domain/ids.js';
import type { OutcomeRow, SweepStatus } from '../domain/ports.js';
import { isEnded } from '../domain/states.js';
import { depthPercent } from '../report/labels.js';
import { classesWithoutWorkers } from './explanation.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';
import { withStoreIfAny } from './store.js';

interface StatusOptions {
  readonly json: boolean;
  readonly home?: string;
}

export function statusCommand(): Command {
  return new Command('status')
    .description('Show the sweeps of the store, or one sweep with its failed cells and their reasons.')
    .argument('[sweep]', 'name of a sweep')
    .addOption(homeOption())
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nExamples:\n  ropesweep status\n  ropesweep status demo --json')
    .action(async (sweep: string | undefined, options: StatusOptions) => {
      if (sweep === undefined) await showAll(options);
      else await showOne(sweep as SweepId, options);
    });
}

async function showAll(options: StatusOptions): Promise<void> {
  const { sweeps, alone } = (await withStoreIfAny(options, async (store, connection) => ({ sweeps: await store.sweeps(), alone: connection.alone }))) ?? { sweeps: [], alone: true };
  if (options.json) printJson(sweeps);
  else printLine(sweeps.length === 0 ? 'no sweeps yet: ropesweep run sweeps/demo.yaml runs one' : sweepTable(sweeps, alone));
}

async function showOne(sweep: SweepId, options: StatusOptions): Promise<void> {
  const found = await withStoreIfAny(options, async (store, { alone }) => {
    const situation = await store.situation(sweep);
    return situation === null ? null : { situation, status: situation.status, alone, outcomes: await store.outcomes(sweep) };
  });
  if (found === null) throw new RopesweepError('SWEEP_UNKNOWN', { where: sweep, what: 'no sweep of that name' });
  if (options.json) {
    printJson({ ...found.status, outcomes: found.outcomes });
    return;
  }
  printLine(sweepTable([found.status], found.alone));
  const { shards } = found.status;
  const { loads, concurrency, priority, reason } = found.status;
  printLine(`shards: ${Object.entries(shards).map(([state, count]) => `${String(count)} ${state}`).join(', ')}; checkpoints were loaded ${String(loads)} times`);
  printLine(`concurrency ${String(concurrency)}, priority ${String(priority)}`);
  if (!found.alone && !isEnded(found.status.state)) for (const line of classesWithoutWorkers(found.situation)) printLine(line);
  if (reason !== null) printLine(reason);
  if (found.outcomes.length > 0) printLine(outcomeTable(found.outcomes));
}

/** @param alone nobody else has the stack open: what reads as running was left so by a command that was killed */
function sweepTable(sweeps: readonly SweepStatus[], alone: boolean): string {
  const table = new Table({ head: ['sweep', 'rev', 'state', 'cells', 'measured', 'planned', 'diverged', 'infeasible', 'failed', 'updated'], style: { head: [], border: [] } });
  for (const { sweep, revision, state, cells, updatedAt } of sweeps) {
    table.push([sweep, revision, alone && !isEnded(state) && state !== 'paused' ? `${state} (nothing runs it)` : state, cells.total, cells.measured, cells.planned, cells.diverged, cells.infeasible, cells.failed, updatedAt.toISOString().slice(0, 19).replace('T', ' ')]);
  }
  return table.toString();
}

function outcomeTable(outcomes: readonly OutcomeRow[]): string {
  const table = new Table({ head: ['arm', 'context', 'axes', 'state', 'attempts', 'reason'], style: { head: [], border: [] }, wordWrap: true });
  for (const { armLabel, contextTokens, axes, state, attempts, deviceClass, code, reason, triedAgainBy } of outcomes) {
    const where = Object.entries(axes).map(([name, value]) => (typeof value === 'number' && name === 'depth' ? `depth ${depthPercent(value)} %` : `${name} ${value}`)).join(', ');
    table.push([armLabel, contextTokens, where, state, attempts, `${code} on ${deviceClass}: ${reason}${triedAgainBy.length === 0 ? '' : ` (to be tried again by ${triedAgainBy.join(', ')})`}`]);
  }
  return table.toString();
}
