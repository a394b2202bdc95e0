/**
 * `ropesweep delete`: forgets a sweep. What was measured stays, for other sweeps and for the same file run again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import type { SweepId } from '../domain/ids.js';
import { isEnded } from '../domain/states.js';
import type { PrismaStore } from '../results/store.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';
import { steer } from './steer.js';
import { withSweeps, type StoreOptions } from './store.js';
import type { SweepWorkflows } from './sweepWorkflows.js';

interface DeleteOptions extends StoreOptions {
  readonly cancel: boolean;
  readonly json: boolean;
}

/** How long a cancelled sweep may take to hand its shards back. */
const CANCEL_LIMIT_MS = 90_000;

export function deleteCommand(): Command {
  return new Command('delete')
    .description('Forget a sweep: its plan, shards and place of cells. Measurements are kept (ropesweep db prune removes those that no sweep has).')
    .argument('<sweep>', 'name of a sweep')
    .option('--cancel', 'cancel it first if it runs', false)
    .addOption(homeOption())
    .option('--json', 'as JSON', false)
    .addHelpText('after', '\nRunning its file again finds all measured cells in the store.\n\nExamples:\n  ropesweep delete demo\n  ropesweep delete demo --cancel')
    .action(async (name: string, options: DeleteOptions) => {
      const sweep = name as SweepId;
      const cells = await withSweeps(options, (store, workflows) => remove(store, workflows, sweep, options.cancel));
      if (options.json) printJson({ sweep, cells });
      else printLine(`${sweep} is deleted (${String(cells)} cells; what was measured stays in the store)`);
    });
}

async function remove(store: PrismaStore, workflows: SweepWorkflows | null, sweep: SweepId, cancel: boolean): Promise<number> {
  if (cancel) await cancelled(store, workflows, sweep);
  // Workflows of an ended sweep may be on their last steps: without the sweep they would only fail.
  const situation = await workflows?.situation(sweep);
  const cells = await store.deleteSweep(sweep);
  if (cells === null) throw new RopesweepError('SWEEP_UNKNOWN', { where: sweep, what: 'no sweep of that name' });
  await workflows?.terminate(sweep, situation?.open ?? []);
  return cells;
}

async function cancelled(store: PrismaStore, workflows: SweepWorkflows | null, sweep: SweepId): Promise<void> {
  const { after } = await steer(store, workflows, sweep, { verb: 'cancel' });
  let state = after;
  for (const limit = Date.now() + CANCEL_LIMIT_MS; !isEnded(state) && Date.now() < limit; ) {
    await sleep(200);
    state = (await store.status(sweep))?.state ?? 'cancelled';
  }
  // Nobody answers: its shards are taken from whoever still has them.
  if (!isEnded(state)) await store.finishSweep(sweep, 'cancelled');
}
