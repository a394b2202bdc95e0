/** Commands that use a stack which another process owns: one file each, so that the owner can wait for them. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isAlive, type ProcessIdentity } from './processIdentity.js';

/** Says that this process uses the stack; returns what takes it back. */
export function register(home: string): () => void {
  const self = identify(process.pid);
  const file = join(home, 'attached', `${process.pid}-${randomBytes(4).toString('hex')}.json`);
  writeFileSync(file, JSON.stringify(self), { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/** Waits until nobody alive is attached, at most so long; true if nobody is. Clears away what the dead left. */
export async function untilNobodyAttached(home: string, limitMs: number): Promise<boolean> {
  const deadline = Date.now() + limitMs;
  while (livingAttached(home) > 0) {
    if (Date.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}

function livingAttached(home: string): number {
  const folder = join(home, 'attached');
  if (!existsSync(folder)) return 0;
  let living = 0;
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    const identity = read(file);
    if (identity !== null && isAlive(identity)) living += 1;
    // A file without an identity may be in the middle of being written.
    else if (identity !== null) rmSync(file, { force: true });
  }
  return living;
}

function read(file: string): ProcessIdentity | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity | null;
  } catch {
    return null;
  }
}
