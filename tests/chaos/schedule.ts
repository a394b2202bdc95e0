/** What is struck and when, drawn from a seed alone: the same seed gives the same sequence on every machine. */
import { HEARTBEAT } from '../../domain/orchestration.js';
import { randomStream } from '../../domain/random.js';

/** What a kill may hit. `backend` is one connection's process of PostgreSQL, after which the server restarts itself. */
export const KILLED = ['slot', 'worker', 'temporal', 'postgres', 'backend', 'command', 'everything'] as const;
/** What lasts a while and kills nothing: a worker that is cut off from the servers, a disk under PostgreSQL that is full. */
export const LASTING = ['partition', 'disk'] as const;
export const VICTIMS = [...KILLED, ...LASTING] as const;
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
  /** Of what lasts. A partition is as often shorter as longer than the heartbeat timeout. */
  readonly lastsSeconds: number;
}

const WEIGHTS: Readonly<Record<Victim, number>> = { slot: 25, worker: 20, temporal: 15, postgres: 12, backend: 8, command: 12, everything: 8, partition: 14, disk: 12 };
const LONGEST_FULL_SECONDS = 10;

/** An endless sequence of these kinds. */
export function* schedule(seed: number, kinds: readonly Victim[] = VICTIMS): Generator<PlannedKill, never> {
  const random = randomStream('chaos', seed);
  const lengths = randomStream('chaos lasting', seed);
  for (;;) {
    const during = random.below(4) === 0 ? 'recovery' : 'work';
    const afterSeconds = 2 * random.fraction();
    const victim = drawVictim(random.fraction(), kinds);
    yield {
      during,
      afterSeconds,
      victim,
      pick: random.fraction(),
      awaySeconds: random.below(2) === 0 ? 0 : 2 * random.fraction(),
      commands: random.below(4) === 0 ? 2 : 1,
      lastsSeconds: victim === 'disk' ? LONGEST_FULL_SECONDS * lengths.fraction() : (HEARTBEAT.timeoutMs / 1000) * (lengths.below(2) + lengths.fraction() / 2),
    };
  }
}

/** @param drawn fraction 0..1 */
function drawVictim(drawn: number, kinds: readonly Victim[]): Victim {
  const [last] = kinds.slice(-1);
  if (last === undefined) throw new Error('nothing may be struck');
  let left = drawn * kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0);
  return kinds.find((kind) => (left -= WEIGHTS[kind]) < 0) ?? last;
}
