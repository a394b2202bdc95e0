/** What is killed and when, drawn from a seed alone: the same seed gives the same sequence on every machine. */
import { randomStream } from '../../domain/random.js';

/** What a kill may hit. `backend` is one connection's process of PostgreSQL, after which the server restarts itself. */
export const VICTIMS = ['slot', 'worker', 'temporal', 'postgres', 'backend', 'command', 'everything'] as const;
export type Victim = (typeof VICTIMS)[number];

export interface PlannedKill {
  /** While cells are recorded again after the kill before, or while that one is still being recovered from. */
  readonly during: 'work' | 'recovery';
  /** Since the next cell was recorded, or since the kill before. */
  readonly afterSeconds: number;
  readonly victim: Victim;
  /** Which of several that qualify: fraction 0..1 of their list by age. */
  readonly pick: number;
  /** Where the command dies: how long nobody runs it again. */
  readonly awaySeconds: number;
  /** Where the command dies: how many are started again, at once; all but one attach to the first. */
  readonly commands: number;
}

/** Out of 100. */
const WEIGHTS: Readonly<Record<Victim, number>> = { slot: 25, worker: 20, temporal: 15, postgres: 12, backend: 8, command: 12, everything: 8 };

/** An endless sequence. */
export function* schedule(seed: number): Generator<PlannedKill, never> {
  const random = randomStream('chaos', seed);
  for (;;) {
    const during = random.below(4) === 0 ? 'recovery' : 'work';
    yield {
      during,
      afterSeconds: 2 * random.fraction(),
      victim: drawVictim(random.fraction() * 100),
      pick: random.fraction(),
      awaySeconds: random.below(2) === 0 ? 0 : 2 * random.fraction(),
      commands: random.below(4) === 0 ? 2 : 1,
    };
  }
}

function drawVictim(drawn: number): Victim {
  let left = drawn;
  for (const victim of VICTIMS) {
    left -= WEIGHTS[victim];
    if (left < 0) return victim;
  }
  return 'everything';
}
