/**
 * Which cells cannot fit a device class: told by the plan, before anybody tries them.
 */
import type { DeviceClass } from '../domain/device.js';
import { RopesweepError, type ErrorCode } from '../domain/errors.js';
import type { ForeseenRefusal } from '../domain/plan.js';
import { lengthLimit, peakMemory } from '../model/memory.js';
import type { CellPlace } from './grid.js';
import type { ResolvedSweep } from './resolved.js';

export interface Refusal {
  readonly code: ErrorCode;
  readonly what: string;
}
export interface Foreseen {
  readonly peakBytes: number;
  readonly refusal: Refusal | null;
}
export type Foresight = (place: CellPlace) => Foreseen;

/** Where a cell is to be computed. */
export interface Fit {
  /** null: on neither class of the sweep. */
  readonly device: DeviceClass | null;
  /** Of the classes that cannot hold it, in the order in which they were asked. */
  readonly refusals: readonly ForeseenRefusal[];
}

/**
 * Asks the sweep's device class first, the larger one for what does not fit it.
 *
 * @param tooLarge the store knows that the first class cannot hold the cell: it is not asked
 */
export function foreseeFit(resolved: ResolvedSweep): (place: CellPlace, tooLarge: boolean) => Fit {
  const { device, larger } = resolved;
  const onOwn = foresee(resolved);
  const onLarger = larger === null ? null : foresee({ ...resolved, device: larger });
  const fits: Fit = { device, refusals: [] };
  return (place, tooLarge) => {
    const refusal = tooLarge ? null : onOwn(place).refusal;
    if (!tooLarge && refusal === null) return fits;
    const refusals = refusal === null ? [] : [refusedBy(device, refusal)];
    if (larger === null || onLarger === null || (refusal !== null && refusal.code !== 'OUT_OF_MEMORY')) return { device: null, refusals };
    const last = onLarger(place).refusal;
    return last === null ? { device: larger, refusals } : { device: null, refusals: [...refusals, refusedBy(larger, last)] };
  };
}

const refusedBy = ({ name }: DeviceClass, { code, what }: Refusal): ForeseenRefusal => ({ deviceClass: name, code, reason: what });

/** On the sweep's own device class. Looks once at each arm's architecture, task and length. */
export function foresee({ arms, tasks, device, dtype }: ResolvedSweep): Foresight {
  const known = new Map<string, Foreseen>();
  return ({ arm, task, contextTokens }) => {
    const place = `${arm}/${task}/${contextTokens}`;
    const foreseen = known.get(place) ?? look(arm, task, contextTokens);
    known.set(place, foreseen);
    return foreseen;
  };

  function look(arm: number, task: number, contextTokens: number): Foreseen {
    const config = arms[arm]?.config;
    const shape = tasks.find(({ index }) => index === task)?.shape;
    if (config === undefined || shape === undefined) throw new RopesweepError('INTERNAL', { where: 'plan', what: `no arm ${arm} or no task ${task}` });
    const { probeRows } = shape;
    const peakBytes = peakMemory(config, { device, dtype, contextTokens, probeRows }).bytes;
    const what = lengthLimit(config, device, contextTokens, probeRows);
    return { peakBytes, refusal: what === null ? tooLarge(peakBytes) : { code: 'MODEL_UNSUPPORTED', what } };
  }

  function tooLarge(bytes: number): Refusal | null {
    if (device.memoryBytes === null || bytes <= device.memoryBytes) return null;
    return { code: 'OUT_OF_MEMORY', what: `it takes ${gib(bytes)} GiB, ${device.name} has ${gib(device.memoryBytes)} GiB` };
  }
}

const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
