/**
 * How fast sweeps go and when they end. Cells are counted over the last minute; work goes by cost: what one slot does is
 * measured on the shards that ended in the last minutes (results/live.ts), and the sweep goes at that speed in as many slots as
 * had a shard in the last seconds. So the estimate is there at the first look, holds for cells that take an hour, and follows
 * at once when workers come or go.
 */
import type { SweepId } from '../../domain/ids.js';
import { endedCells, type LiveSweep, type LiveWork } from '../../domain/live.js';
import { isEnded } from '../../domain/states.js';

export interface Eta {
  readonly seconds: number;
  /** If all that is left went as the fastest, or the slowest, quarter of the latest shards did. */
  readonly earliestSeconds: number;
  readonly latestSeconds: number;
}

export interface Rates {
  readonly cellsPerSecond: number;
  readonly tokensPerSecond: number;
  readonly flopsPerSecond: number;
  /** null while nothing is known of the speed, or no worker has a shard. */
  readonly eta: Eta | null;
}

const CELLS_WINDOW_MS = 60_000;
/** Between two short shards a slot holds none for a moment: how many work is a mean of several looks. */
const SLOTS_WINDOW_MS = 15_000;

interface Sample {
  readonly atMs: number;
  readonly ended: number;
  readonly slots: number;
}

/** Measures the sweeps of consecutive views. */
export class RateMeter {
  private readonly samples = new Map<SweepId, Sample[]>();

  /** @param sweep with its work */
  measure({ sweep, state, cells }: LiveSweep, work: LiveWork, at: Date): Rates {
    const atMs = at.getTime();
    const now: Sample = { atMs, ended: endedCells(cells), slots: work.shards.leased };
    const samples = [...(this.samples.get(sweep) ?? []), now].filter((sample) => sample.atMs > atMs - CELLS_WINDOW_MS);
    this.samples.set(sweep, isEnded(state) ? [] : samples);
    if (isEnded(state)) return { cellsPerSecond: 0, tokensPerSecond: 0, flopsPerSecond: 0, eta: null };
    const late = samples.filter((sample) => sample.atMs > atMs - SLOTS_WINDOW_MS);
    const slots = late.reduce((sum, sample) => sum + sample.slots, 0) / late.length;
    return {
      cellsPerSecond: cellRate(samples),
      tokensPerSecond: slots * (work.speed?.tokensPerSecond ?? 0),
      flopsPerSecond: slots * (work.speed?.flopsPerSecond ?? 0),
      eta: eta(work, slots),
    };
  }
}

/** From the last look before a cell ended, for the wait for the first one is no speed. Cells may also leave a sweep (a smaller revision). */
function cellRate(samples: readonly Sample[]): number {
  const moved = samples.findIndex(({ ended }) => ended !== samples[0]?.ended);
  const [first, last] = [samples[moved - 1], samples.at(-1)];
  if (first === undefined || last === undefined) return 0;
  return (Math.max(0, last.ended - first.ended) / (last.atMs - first.atMs)) * 1000;
}

/** A shard is evaluated by one slot: the longest that is left bounds the time, however many slots there are. */
export function eta({ flops, doneFlops, longestFlops, speed }: LiveWork, slots: number): Eta | null {
  if (speed === null || slots === 0) return null;
  const secondsAt = (perSecond: number): number => Math.max((flops - doneFlops) / (slots * perSecond), longestFlops / perSecond);
  const seconds = secondsAt(speed.flopsPerSecond);
  return {
    seconds,
    earliestSeconds: Math.min(seconds, secondsAt(speed.fastFlopsPerSecond)),
    latestSeconds: Math.max(seconds, secondsAt(speed.slowFlopsPerSecond)),
  };
}

/** Share of a sweep that is done, 0..1: of its cost, or of its cells where no shard was ever planned or none is known. */
export function doneShare({ cells }: LiveSweep, work: LiveWork | null): number {
  if (cells.planned === 0) return 1;
  if (work === null || work.flops === 0) return endedCells(cells) / cells.total;
  return work.doneFlops / work.flops;
}
