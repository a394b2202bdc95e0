/** Places of a chaos run: whatever happens in one, nothing of it is left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { kill, openPlace, type Place } from '../endToEnd/command.js';
import { everythingOf } from './victims.js';

const open = new Set<Place>();

export async function inPlace<Result>(work: (place: Place) => Promise<Result>): Promise<Result> {
  const place = await openPlace();
  open.add(place);
  try {
    return await work(place);
  } finally {
    await leave(place);
  }
}

/** For a harness that is interrupted itself. */
export async function leaveAll(): Promise<void> {
  await Promise.all([...open].map(leave));
}

/** Kills what runs there and removes it. */
export async function leave(place: Place): Promise<void> {
  for (let left = everythingOf(place); left.length > 0; left = everythingOf(place)) {
    for (const { pid } of left) kill(pid);
    await sleep(50);
  }
  place.remove();
  open.delete(place);
}
