/**
 * The progress display of a running sweep: one live line on a terminal, one plain line now and then elsewhere.
 */
import logUpdate from 'log-update';
import pc from 'picocolors';
import type { SweepStatus } from '../domain/ports.js';
import { duration, printLine, type RunEvent } from './output.js';

export interface Rate {
  readonly cellsPerSecond: number;
  /** null until a cell is done. */
  readonly etaSeconds: number | null;
}

/** Ended cells of a sweep: everything but planned. */
export const endedCells = ({ cells }: SweepStatus): number => cells.total - cells.planned;

/** Rate over the run so far, from the first status it was given. */
export class RateMeter {
  private first: { readonly at: number; readonly ended: number } | null = null;

  measure(status: SweepStatus, nowMs: number): Rate {
    this.first ??= { at: nowMs, ended: endedCells(status) };
    const seconds = (nowMs - this.first.at) / 1000;
    const ended = endedCells(status) - this.first.ended;
    if (ended <= 0 || seconds <= 0) return { cellsPerSecond: 0, etaSeconds: null };
    const cellsPerSecond = ended / seconds;
    return { cellsPerSecond, etaSeconds: status.cells.planned / cellsPerSecond };
  }
}

/** Where a run's events go. */
export interface RunDisplay {
  emit(event: RunEvent): void;
  /** Progress may be shown less often than it is measured. */
  progress(status: SweepStatus, rate: Rate): void;
  /** Ends a live line, so that what follows stands below it. */
  done(): void;
}

export class JsonDisplay implements RunDisplay {
  private last = '';

  emit(event: RunEvent): void {
    printLine(JSON.stringify(event));
  }

  progress({ sweep, cells, runningCells }: SweepStatus, rate: Rate): void {
    const line = JSON.stringify({ event: 'progress', sweep, cells, runningCells, ...rate } satisfies RunEvent);
    const counts = JSON.stringify([cells, runningCells]);
    if (counts !== this.last) printLine(line);
    this.last = counts;
  }

  done(): void {
    this.last = '';
  }
}

const BAR_CELLS = 24;
/** A plain line at most this often. */
const PLAIN_EVERY_MS = 5_000;

export class HumanDisplay implements RunDisplay {
  private lastPlainMs = 0;

  constructor(
    private readonly live: boolean,
    /** Prints notices and events; events without words for people are dropped. */
    private readonly words: (event: RunEvent) => string | null,
  ) {}

  emit(event: RunEvent): void {
    const text = this.words(event);
    if (text === null) return;
    if (this.live) logUpdate.clear();
    printLine(text);
  }

  progress(status: SweepStatus, rate: Rate): void {
    if (this.live) {
      logUpdate(liveLine(status, rate));
      return;
    }
    const now = Date.now();
    if (now - this.lastPlainMs < PLAIN_EVERY_MS) return;
    this.lastPlainMs = now;
    printLine(plainLine(status, rate));
  }

  done(): void {
    if (this.live) logUpdate.done();
  }
}

function figures({ cells, runningCells, ...status }: SweepStatus, rate: Rate): string[] {
  const failed = cells.failed + cells.infeasible;
  return [
    `${String(cells.total - cells.planned)}/${String(cells.total)} cells`,
    `${String(runningCells)} running`,
    failed > 0 ? pc.red(`${String(failed)} failed`) : '0 failed',
    ...(cells.diverged > 0 ? [`${String(cells.diverged)} diverged`] : []),
    `${rate.cellsPerSecond.toFixed(1)} cells/s`,
    status.state !== 'running' ? status.state : rate.etaSeconds === null ? 'ETA -' : `ETA ${duration(rate.etaSeconds)}`,
  ];
}

export function plainLine(status: SweepStatus, rate: Rate): string {
  return `${status.sweep}: ${figures(status, rate).join(', ')}`;
}

function liveLine(status: SweepStatus, rate: Rate): string {
  const share = status.cells.total === 0 ? 1 : endedCells(status) / status.cells.total;
  const full = Math.round(share * BAR_CELLS);
  const bar = pc.cyan('━'.repeat(full)) + pc.dim('─'.repeat(BAR_CELLS - full));
  return `${bar} ${pc.bold(`${String(Math.floor(share * 100)).padStart(3)} %`)}  ${figures(status, rate).join('  ')}`;
}
