/** Places of a chaos run: whatever happens in one, nothing of it is left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { kill, openPlace, type Place } from '../endToEnd/command.js';
import { everythingOf } from './victims.js';

/** Open places, with what is to be undone when they are left: links, mounts. */
const open = new Map<Place, (() => void | Promise<void>)[]>();

export async function inPlace<Result>(work: (place: Place) => Promise<Result>): Promise<Result> {
  const place = await openPlace();
  open.set(place, []);
  try {
    return await work(place);
  } finally {
    await leave(place);
  }
}

/** Whatever becomes of the place, this is done when everything in it has ended and before it is removed. */
export function whenLeft(place: Place, undo: () => void | Promise<void>): void {
  open.get(place)?.unshift(undo);
}

/** For a harness that is interrupted itself. */
export async function leaveAll(): Promise<void> {
  await Promise.all([...open.keys()].map(leave));
}

/** Kills what runs there and removes it. */
export async function leave(place: Place): Promise<void> {
  for (let left = everythingOf(place); left.length > 0; left = everythingOf(place)) {
    for (const { pid } of left) kill(pid);
    await sleep(50);
  }
  const undoing = open.get(place) ?? [];
  open.delete(place);
  for (const undo of undoing) await undo();
  place.remove();
}
