/**
 * Which cells cannot fit their device class: told by the plan, before anybody tries them.
 */
import type { ErrorCode } from '../domain/errors.js';
import { lengthLimit, peakMemory } from '../model/memory.js';
import type { GridCell } from './grid.js';
import type { ResolvedSweep } from './resolved.js';

export interface Refusal {
  readonly code: ErrorCode;
  readonly what: string;
}
export type Foresight = (cell: GridCell) => Refusal | null;

/** Looks once at each arm's architecture, task and length. */
export function foresee({ arms, tasks, device, dtype }: ResolvedSweep): Foresight {
  const known = new Map<string, Refusal | null>();
  return ({ arm, task, contextTokens }) => {
    const place = `${arm}/${task}/${contextTokens}`;
    const found = known.get(place);
    if (found !== undefined) return found;
    const config = arms[arm]?.config;
    const probeRows = tasks.find(({ index }) => index === task)?.shape.probeRows ?? 0;
    const refusal = config === undefined ? null : (tooLong(lengthLimit(config, device, contextTokens, probeRows)) ?? tooLarge(peakMemory(config, { device, dtype, contextTokens, probeRows }).bytes));
    known.set(place, refusal);
    return refusal;
  };

  function tooLarge(bytes: number): Refusal | null {
    if (device.memoryBytes === null || bytes <= device.memoryBytes) return null;
    return { code: 'OUT_OF_MEMORY', what: `it takes ${gib(bytes)} GiB, the class ${device.name} has ${gib(device.memoryBytes)} GiB` };
  }
}

const tooLong = (what: string | null): Refusal | null => (what === null ? null : { code: 'MODEL_UNSUPPORTED', what });

const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
