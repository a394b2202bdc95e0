/**
 * `ropesweep why`: what a sweep waits for.
 */
import { Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import type { SweepId } from '../domain/ids.js';
import { explain, type Evidence } from './explanation.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';
import { withSweeps, type StoreOptions } from './store.js';
import type { SweepWorkflows } from './sweepWorkflows.js';

export function whyCommand(): Command {
  return new Command('why')
    .description('Explain why a sweep gets on or does not: pauses, missing workers, canaries, backing off, spent budgets, other sweeps.')
    .argument('<sweep>', 'name of a sweep')
    .addOption(homeOption())
    .option('--json', 'the reasons, and the evidence that they rest on, as JSON', false)
    .addHelpText('after', '\nAsks the store, the Temporal server and the workflows of the sweep; the first line is what to act on.\n\nExample:\n  ropesweep why demo')
    .action(async (name: string, options: StoreOptions & { json: boolean }) => {
      const sweep = name as SweepId;
      const evidence = await withSweeps(options, async (store, workflows): Promise<Evidence> => {
        const found = await store.situation(sweep);
        if (found === null) throw new RopesweepError('SWEEP_UNKNOWN', { where: sweep, what: 'no sweep of that name' });
        return { store: found, temporal: workflows === null ? null : await ask(workflows, sweep, found.status.openClasses), nowMs: Date.now() };
      });
      const reasons = explain(evidence);
      if (options.json) printJson({ sweep, reasons, ...evidence });
      else for (const reason of reasons) printLine(reason);
    });
}

async function ask(workflows: SweepWorkflows, sweep: SweepId, deviceClasses: readonly string[]): Promise<Evidence['temporal']> {
  const [running, situation, unattended] = await Promise.all([workflows.running(sweep), workflows.situation(sweep), workflows.unattended(deviceClasses)]);
  return { running, sweep: situation, shards: await workflows.shardSituations(sweep, situation?.open ?? []), unattended };
}
