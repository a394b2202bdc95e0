/**
 * What the cells of a plan that have no numbers yet would take on every device class: memory and hours.
 *
 *   hours = FLOPs / rate / 3600     rate: measured by finished shards of the class, else the class's assumption
 *   their spread                    the same at the rates that a tenth of the measured FLOPs did not reach, and exceeded
 */
import type { DeviceClass } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import { isMeasured } from '../domain/states.js';
import type { Plan, ShardCost } from '../domain/plan.js';
import type { MeasuredRate } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import { totalCost } from './cost.js';
import { classesOf, dtypeOn } from './device.js';
import { foresee } from './feasible.js';
import { cellsIn, cellsWhere, distinctCells, type GridBlock } from './grid.js';
import type { ResolvedSweep } from './resolved.js';
import { packShards } from './shards.js';

export interface ClassForecast {
  readonly deviceClass: string;
  readonly dtype: ComputeDtype;
  /** Whether prompts share what they have in common. */
  readonly sharesPrefixes: boolean;
  /** Of one device; null = that of the node. */
  readonly memoryBytes: number | null;
  /** Highest predicted peak of all cells, those that do not fit included. */
  readonly peakBytes: number;
  readonly cells: number;
  /** Cells that the class cannot hold. */
  readonly infeasible: number;
  /** Of the cells that fit: tokens of all prompts, and those computed once what prompts share is computed once. */
  readonly promptTokens: number;
  readonly distinctTokens: number;
  readonly flops: number;
  /** Largest keys and values. */
  readonly kvBytes: number;
  readonly resultBytes: number;
  readonly rate: Rate | null;
  /** Hours of one device for the cells that fit; null where none does or no rate is known. */
  readonly hours: number | null;
  /** Where they may lie; null where the rate was not measured. */
  readonly hoursSpread: { readonly least: number; readonly most: number } | null;
}

export interface Rate {
  readonly flopsPerSecond: number;
  /** Whether finished shards of the class gave it; else it is the class's assumption. */
  readonly measured: boolean;
  /** What it was measured by. */
  readonly spread: Pick<MeasuredRate, 'slowFlopsPerSecond' | 'fastFlopsPerSecond' | 'shards'> | null;
}

/** By device class; a class without finished shards is absent. */
export type MeasuredRates = ReadonlyMap<string, MeasuredRate>;

/** Classes that are told whatever the sweep names. */
const SHOWN_PROVIDERS: readonly DeviceClass['provider'][] = ['cpu', 'cuda'];

/** One forecast a class, the built-in ones by memory after the spec's own. */
export function forecast(spec: SweepSpec, resolved: ResolvedSweep, grid: readonly GridBlock[], plan: Plan, rates: MeasuredRates): ClassForecast[] {
  const open = distinctCells(resolved, cellsWhere(grid, (_, position) => !isMeasured(plan.cells[position]?.state ?? 'planned')));
  const shown = classesOf(spec).filter(({ name, provider }) => SHOWN_PROVIDERS.includes(provider) || name === spec.deviceClass || name === spec.largerDeviceClass);
  return shown.flatMap((device) => {
    const dtype = dtypeOn(device, spec.dtype, resolved.arms[0]?.arm.checkpoint.weightFormat ?? '');
    // What the plan itself computes is packed already, where one class computes it all.
    const isWhole = cellsIn(open) === plan.counts.new && plan.shards.every((shard) => shard.deviceClass === device.name);
    const packed = device.name === resolved.device.name && dtype === resolved.dtype && isWhole ? plan.cost : null;
    return dtype === null ? [] : [forecastOn({ ...resolved, device, dtype }, open, packed, rates)];
  });
}

function forecastOn(resolved: ResolvedSweep, open: readonly GridBlock[], packed: ShardCost | null, rates: MeasuredRates): ClassForecast {
  const { device, dtype } = resolved;
  const foresight = foresee(resolved);
  const fitting = open.filter((block) => foresight(block).refusal === null);
  const cells = cellsIn(open);
  const { promptTokens, distinctTokens, flops, kvBytes, resultBytes } = packed ?? totalCost(packShards(resolved, fitting).map(({ cost }) => cost));
  const rate = rateOf(device, dtype, rates);
  const hoursAt = (flopsPerSecond: number): number => flops / flopsPerSecond / 3600;
  const known = rate === null || fitting.length === 0 ? null : rate;
  return {
    deviceClass: device.name,
    dtype,
    sharesPrefixes: device.keepsKv,
    memoryBytes: device.memoryBytes,
    peakBytes: open.reduce((most, block) => Math.max(most, foresight(block).peakBytes), 0),
    cells,
    infeasible: cells - cellsIn(fitting),
    promptTokens,
    distinctTokens,
    flops,
    kvBytes,
    resultBytes,
    rate,
    hours: known && hoursAt(known.flopsPerSecond),
    hoursSpread: known?.spread == null ? null : { least: hoursAt(known.spread.fastFlopsPerSecond), most: hoursAt(known.spread.slowFlopsPerSecond) },
  };
}

/** float32 on the tensor cores' cards is an order slower than half precision, which classes are described in. */
const FLOAT32_SHARE = 1 / 16;

function rateOf({ name, provider, assumedFlopsPerSecond }: DeviceClass, dtype: ComputeDtype, rates: MeasuredRates): Rate | null {
  const measured = rates.get(name);
  if (measured !== undefined) {
    const { flopsPerSecond, ...spread } = measured;
    return { flopsPerSecond, measured: true, spread };
  }
  return assumedFlopsPerSecond === null
    ? null
    : { flopsPerSecond: provider === 'cuda' && dtype === 'f32' ? assumedFlopsPerSecond * FLOAT32_SHARE : assumedFlopsPerSecond, measured: false, spread: null };
}
