/**
 * `ropesweep retry`: cells without numbers are tried again.
 */
import { Command } from 'commander';
import { RopesweepError } from '../domain/errors.js';
import type { SweepId } from '../domain/ids.js';
import type { OutcomeRow } from '../domain/ports.js';
import { compileCondition, POINT_VARIABLES, type Condition, type Variables, type VariableValues } from '../planner/condition.js';
import { isEnded } from '../domain/states.js';
import { isRetryable } from '../results/retry.js';
import { homeOption } from './options.js';
import { printJson, printLine } from './output.js';
import { withSweeps, type StoreOptions } from './store.js';

interface RetryOptions extends StoreOptions {
  readonly where?: Condition;
  readonly json: boolean;
}

/** What --where may read: what conditions of a sweep file may, and how the cell ended. */
const VARIABLES = { ...POINT_VARIABLES, state: 'text', code: 'text', reason: 'text', attempts: 'number', origin: 'text' } as const satisfies Variables;

const condition = (text: string): Condition => compileCondition(text, VARIABLES, `--where ${text}`, 'OPTION_INVALID');

function valuesOf({ axes, model, method, methodLabel, factor, continualPretrainContextTokens, originalContextTokens, contextTokens, task, taskKind, state, code, reason, attempts, origin }: OutcomeRow): VariableValues {
  const axis = (name: string): number | string | null => axes[name] ?? null;
  return {
    model, method, methodLabel, factor, continualPretrainContextTokens, originalContextTokens, contextTokens, task, taskKind, state, code, reason, attempts, origin,
    depth: axis('depth'), seed: axis('seed'), document: axis('document'),
  }; // prettier-ignore
}

export function retryCommand(): Command {
  return new Command('retry')
    .description('Plan cells again that failed or ran out of memory, and evaluate them where something runs the sweep.')
    .argument('<sweep>', 'name of a sweep')
    .option('--where <condition>', 'only cells of which this holds, as in a sweep file', condition)
    .addOption(homeOption())
    .option('--json', 'as JSON', false)
    .addHelpText(
      'after',
      `
Cells that the plan foresees as infeasible are left: they would be foreseen again. A sweep that runs evaluates them at once;
one that has ended goes on under ropesweep up or on a cluster, else with the next run of its file.

A condition is written as in the sweep file (docs/planning.md), over the same names and state ("failed", "infeasible"), code,
reason, attempts and origin.

Examples:
  ropesweep retry demo
  ropesweep retry demo --where 'contextTokens == 131072 && state == "failed"'
  ropesweep retry demo --where 'code == "SLOT_CRASHED"'`,
    )
    .action(async (sweep: string, options: RetryOptions) => {
      const retried = await retry(sweep as SweepId, options);
      if (options.json) printJson({ sweep, ...retried });
      else printLine(words(sweep, retried));
    });
}

interface Retried {
  /** Planned again. */
  readonly cells: number;
  /** Without numbers, and left as they are. */
  readonly left: number;
  /** Whether something evaluates them now. */
  readonly runs: boolean;
}

function retry(sweep: SweepId, options: RetryOptions): Promise<Retried> {
  return withSweeps(options, async (store, workflows) => {
    const status = await store.status(sweep);
    if (status === null) throw new RopesweepError('SWEEP_UNKNOWN', { where: sweep, what: 'no sweep of that name' });
    const outcomes = await store.outcomes(sweep);
    const chosen = outcomes.filter((row) => isRetryable(row) && options.where?.holds(valuesOf(row)) !== false);
    const cells = chosen.length === 0 ? 0 : await store.retryCells(sweep, chosen.map(({ key }) => key));
    const left = outcomes.length - cells;
    if (cells === 0 || workflows === null) return { cells, left, runs: false };
    if (isEnded(status.state)) await store.steer(sweep, { verb: 'resume' });
    await workflows.start(sweep);
    return { cells, left, runs: true };
  });
}

function words(sweep: string, { cells, left, runs }: Retried): string {
  if (cells === 0) return left === 0 ? `${sweep} has no cell that failed` : `${sweep}: nothing to retry; ${String(left)} cells without numbers were left`;
  const beside = left === 0 ? '' : `; ${String(left)} others without numbers were left`;
  return `${sweep}: ${String(cells)} cells are planned again${beside}${runs ? '' : '; run its file again to evaluate them'}`;
}
