/**
 * `ropesweep plan`: what a run would do, and why; starts no sweep.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import pc from 'picocolors';
import { groupBy } from '../domain/groupBy.js';
import type { Excluded, Plan, PlannedArm, PlannedCell, ShardCost } from '../domain/plan.js';
import { refinementTotals } from '../domain/refinement.js';
import { weightFormatLabel } from '../domain/weightFormat.js';
import { depthPercent } from '../report/labels.js';
import { savedText } from '../report/refinementFace.js';
import { homeOption, setOption } from './options.js';
import { duration, printJson, printLine } from './output.js';
import { totalCost } from '../planner/cost.js';
import type { Rate } from '../planner/forecast.js';
import { forecastText } from './planForecast.js';
import { planWithForecast, readSweepFile, type ForecastPlan, type PlannedRefinement } from './planning.js';
import { gib, number, scaled } from './quantities.js';
import { withStoreIfAny } from './store.js';

interface PlanOptions {
  readonly set: string[];
  readonly json: boolean;
  readonly home?: string;
}

/** Excluded points and reasons are listed up to here; --json has all. */
const LISTED = 12;

export function planCommand(): Command {
  return new Command('plan')
    .description('Print what a run would compute, what is cached, excluded or quarantined and why; starts nothing.')
    .argument('<spec>', 'sweep file (YAML or JSON)')
    .addOption(setOption())
    .addOption(homeOption())
    .option('--json', 'the plan as one JSON object', false)
    .addHelpText(
      'after',
      `
To see what is cached it reads the store; an embedded PostgreSQL that is not running is opened for that moment only.

Examples:
  ropesweep plan sweeps/demo.yaml
  ropesweep plan sweeps/demo.yaml --set contextTokens=[128,4096] --json`,
    )
    .action(async (file: string, options: PlanOptions) => {
      const sweepFile = await readSweepFile(file, options.set);
      const plan = (await withStoreIfAny(options, (store) => planWithForecast(sweepFile, store))) ?? (await planWithForecast(sweepFile, null));
      if (options.json) printJson(planJson(plan));
      else printLine(planText(plan));
    });
}

/** The stable shape of `ropesweep plan --json`. */
export function planJson({ plan, forecasts, dearest, refinement }: ForecastPlan): unknown {
  const { counts, ...rest } = plan;
  return {
    sweep: rest.sweep,
    digest: rest.digest,
    deviceClass: rest.deviceClass,
    largerDeviceClass: rest.largerDeviceClass,
    dtype: rest.dtype,
    engineVersion: rest.engineVersion,
    cells: counts,
    cost: rest.cost,
    classes: forecasts,
    arms: rest.arms.map(({ tables, ...arm }) => ({ ...arm, tables: Object.fromEntries(Object.entries(tables).map(([length, table]) => [length, table.digest])) })),
    shards: rest.shards.map(({ cellKeys, ...shard }) => ({ ...shard, cells: cellKeys.length })),
    refinement: refinement === null ? null : { next: refinement.next, totals: refinementTotals(refinement.found), tasks: refinement.found },
    excluded: rest.excluded,
    notices: rest.notices ?? [],
    dearest,
    notRun: notRun(plan).map((cell) => ({ key: cell.key, armId: cell.armId, contextTokens: cell.contextTokens, ...cell.axes, state: cell.state, reason: cell.reason })),
  };
}

export function planText({ plan, forecasts, dearest, refinement }: ForecastPlan): string {
  const { counts } = plan;
  const classes = [plan.deviceClass, ...(plan.largerDeviceClass === null ? [] : [plan.largerDeviceClass])];
  return [
    `${pc.bold(plan.sweep)}: ${number(counts.total)} cells in ${String(plan.arms.length)} arms`,
    `  new        ${number(counts.new)} in ${number(plan.shards.length)} shards${largerText(plan)}`,
    `  cached     ${number(counts.cached)} (measured before, with the same key)`,
    `  failed     ${number(counts.failed)} (quarantined before on ${classes.join(' or ')} with this engine)`,
    `  infeasible ${number(counts.infeasible)} (too large for ${classes.join(' and ')}, as predicted or as tried)`,
    `  excluded   ${number(counts.excluded)} (beside the total)`,
    ...(refinement === null ? [] : refinementText(refinement)),
    '',
    ...provisionalText(plan),
    armTable(plan),
    ...weightsText(plan),
    ...listed('warnings', [...new Set(plan.arms.flatMap(({ checkpoint }) => checkpoint.warnings ?? []))]),
    ...listed('notices', [...(plan.notices ?? []), ...plan.arms.flatMap(({ label, notice }) => (notice === undefined ? [] : [`${label}: ${notice}`]))]),
    '',
    ...classes.flatMap((name) => toComputeText(plan, name, forecasts)),
    ...forecastText(forecasts),
    ...dearestText(plan, dearest, forecasts),
    ...listed('excluded', plan.excluded.map(excludedText)),
    ...listed('not run', notRun(plan).map((cell) => `${cellName(plan, cell)}: ${cell.state}, ${cell.reason ?? ''}`)),
  ].join('\n');
}

/** Cells without numbers that nobody is to compute. */
const notRun = ({ cells }: Plan): PlannedCell[] => cells.filter(({ state, reason }) => state !== 'planned' && reason !== undefined);

/** How much of what is new goes to the larger device class. */
function largerText({ cells, shards, deviceClass, largerDeviceClass }: Plan): string {
  const larger = cells.filter(({ onLarger }) => onLarger).length;
  if (larger === 0 || largerDeviceClass === null) return '';
  return `, ${number(larger)} of them in ${number(shards.filter((shard) => shard.deviceClass === largerDeviceClass).length)} on ${largerDeviceClass} (too large for ${deviceClass})`;
}

/** Cost of what one device class computes; the sweep's own is told even where it computes nothing. */
function toComputeText(plan: Plan, deviceClass: string, forecasts: ForecastPlan['forecasts']): string[] {
  const shards = plan.shards.filter((shard) => shard.deviceClass === deviceClass);
  if (shards.length === 0 && deviceClass !== plan.deviceClass) return [];
  const cost = totalCost(shards.map((shard) => shard.cost));
  return [`to compute on ${deviceClass} in ${plan.dtype}: ${number(cost.promptTokens)} prompt tokens, ${number(cost.distinctTokens)} computed (${sharing(deviceClass, cost, forecasts)}), ${scaled(cost.flops, 'FLOP')}, KV cache up to ${gib(cost.kvBytes)}, peak memory ${gib(cost.peakBytes)}, results ${scaled(cost.resultBytes, 'B')}`];
}

/** What refinement may take, and how far it is. */
function refinementText({ found, next }: PlannedRefinement): string[] {
  const totals = refinementTotals(found);
  const bounds = found.map(({ task, maximumCells, auditCells }) => `${found.length > 1 ? `task ${task}: ` : ''}at most ${number(maximumCells)} cells and ${number(auditCells)} random ones an arm`);
  const begun = found.some(({ arms }) => arms.some(({ frontiers }) => frontiers.some(({ tested }) => tested.length > 0)));
  return [
    `  refine     ${bounds.join('; ')} (beside the total); ${number(next)} of them to compute next`,
    ...(begun ? [`             ${savedText(totals)}`] : []),
  ];
}

/** How weights that are here are stored. */
function weightsText({ arms }: Plan): string[] {
  const labels = [...new Set(arms.flatMap(({ checkpoint }) => (checkpoint.provisional ? [] : [weightFormatLabel(checkpoint.weightFormat)])))];
  return labels.length === 0 ? [] : [labels.join('; ')];
}

/** What of the prompts is computed once for several. */
function sharing(deviceClass: string, { promptTokens, distinctTokens }: ShardCost, forecasts: ForecastPlan['forecasts']): string {
  if (forecasts.some((one) => one.deviceClass === deviceClass && !one.sharesPrefixes)) return `none shared: ${deviceClass} keeps nothing between runs`;
  return `${promptTokens === 0 ? 0 : (100 * (1 - distinctTokens / promptTokens)).toFixed(0)} % shared`;
}

/** Checkpoints that are not here: said before anything that rests on them. */
function provisionalText({ arms }: Plan): string[] {
  const folders = [...new Set(arms.flatMap(({ checkpoint }) => (checkpoint.provisional ? [checkpoint.folder] : [])))];
  if (folders.length === 0) return [];
  return ['provisional: the weights are not here, so cells have other keys once they are, and nothing can run:', ...folders.map((folder) => `  ${folder}`), ''];
}

const excludedText = (point: Excluded): string =>
  'rule' in point
    ? `${point.rule}: ${number(point.cells)} cells, ${point.reason}`
    : `${point.method}, ${continued(point.continualPretrainContextTokens)}: ${number(point.cells)} cells, ${point.reason}`;

const continued = (length: number | null): string => (length === null ? 'not continued' : `continued at ${length}`);

function listed(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const more = lines.length > LISTED ? [`  and ${number(lines.length - LISTED)} more (--json lists all)`] : [];
  return ['', `${title}:`, ...lines.slice(0, LISTED).map((line) => `  ${line}`), ...more];
}

function cellName(plan: Plan, cell: Pick<PlannedCell, 'armId' | 'contextTokens'> & { readonly axes: object }): string {
  const arm = plan.arms.find(({ id }) => id === cell.armId);
  const axes = Object.entries(cell.axes).map(([name, value]) => (name === 'depth' ? `, depth ${depthPercent(Number(value))} %` : `, ${name} ${String(value)}`));
  return `${arm?.label ?? cell.armId}, ${number(cell.contextTokens)} tokens${axes.join('')}`;
}

const timeText = (seconds: number): string => (seconds < 10 ? `${seconds.toPrecision(2)} s` : duration(seconds));

function dearestText(plan: Plan, dearest: ForecastPlan['dearest'], forecasts: ForecastPlan['forecasts']): string[] {
  if (dearest.length === 0) return [];
  const rateOf = (name: string): Rate | null => forecasts.find(({ deviceClass }) => deviceClass === name)?.rate ?? null;
  const table = new Table({ head: ['cell', 'cost', 'time', 'peak memory'], style: { head: [], border: [] }, colAligns: ['left', 'right', 'right', 'right'] });
  for (const cell of dearest) {
    const rate = rateOf(cell.deviceClass);
    table.push([cellName(plan, cell), scaled(cell.flops, 'FLOP'), rate === null ? '-' : timeText(cell.flops / rate.flopsPerSecond), gib(cell.peakBytes)]);
  }
  return ['', 'the dearest cells, each as if it were alone:', table.toString()];
}

function armTable(plan: Plan): string {
  const table = new Table({ head: ['arm', 'effective scale', 'logit scale', 'cells', 'new', 'cached'], style: { head: [], border: [] }, colAligns: ['left', 'right', 'right', 'right', 'right', 'right'] });
  const byArm = groupBy(plan.cells, (cell) => cell.armId);
  for (const arm of plan.arms) table.push(armRow(arm, byArm.get(arm.id) ?? []));
  return table.toString();
}

function armRow(arm: PlannedArm, cells: readonly PlannedCell[]): string[] {
  const count = (...states: readonly PlannedCell['state'][]): string => number(cells.filter((cell) => states.includes(cell.state)).length);
  return [arm.label, arm.effectiveScale.toPrecision(4), arm.logitScale.toPrecision(4), number(cells.length), count('planned'), count('measured', 'diverged')];
}
