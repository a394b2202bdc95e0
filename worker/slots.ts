/**
 * How many slots with how many threads: two processes of one thread match or beat one of two threads, and a process
 * more survives a crash better; so one slot a core unless the caller says otherwise. A GPU has one slot.
 */
import { availableParallelism } from 'node:os';
import type { Device } from '../domain/device.js';

export interface SlotChoice {
  readonly slots: number;
  readonly threads: number;
}

export interface SlotWishes {
  readonly control: boolean;
  readonly device: Device;
  readonly slots?: number | 'auto';
  readonly threads?: number;
}

export function chooseSlots(options: SlotWishes): SlotChoice {
  const threads = Math.max(1, options.threads ?? 1);
  const fitting = options.device.provider === 'cpu' ? Math.max(1, Math.floor(availableParallelism() / threads)) : 1;
  const asked = options.slots ?? (options.control ? 0 : 'auto');
  return { threads, slots: asked === 'auto' ? fitting : asked };
}
