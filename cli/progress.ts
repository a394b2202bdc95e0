/**
 * The progress display of a running sweep: one live line on a terminal, one plain line now and then elsewhere.
 */
import logUpdate from 'log-update';
import pc from 'picocolors';
import type { SweepStatus } from '../domain/ports.js';
import { duration, printLine } from './output.js';
import type { RunEvent } from './runEvents.js';

export interface Rate {
  readonly cellsPerSecond: number;
  /** null until a cell is done. */
  readonly etaSeconds: number | null;
}

/** Ended cells of a sweep: everything but planned. */
export const endedCells = ({ cells }: SweepStatus): number => cells.total - cells.planned;

/** The rate is that of the last seconds: an average over the run would carry its start along. */
const WINDOW_MS = 10_000;

export class RateMeter {
  private looks: { readonly at: number; readonly ended: number }[] = [];

  measure(status: SweepStatus, nowMs: number): Rate {
    const now = { at: nowMs, ended: endedCells(status) };
    const [oldest] = this.looks;
    // Until a first cell ends there is nothing to measure but the waiting.
    if (oldest === undefined || (this.looks.length === 1 && oldest.ended === now.ended)) this.looks = [];
    this.looks.push(now);
    while (this.looks.length > 2 && (this.looks[0]?.at ?? nowMs) < nowMs - WINDOW_MS) this.looks.shift();
    const first = this.looks[0] ?? now;
    const cells = now.ended - first.ended;
    if (cells <= 0) return { cellsPerSecond: 0, etaSeconds: null };
    const cellsPerSecond = cells / ((now.at - first.at) / 1000);
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
const SHORTEST_BAR = 8;
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
      logUpdate(liveLine(status, rate, process.stdout.columns));
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
    `${failed} failed`,
    ...(cells.diverged > 0 ? [`${String(cells.diverged)} diverged`] : []),
    `${rate.cellsPerSecond.toFixed(1)} cells/s`,
    status.state !== 'running' ? status.state : rate.etaSeconds === null ? 'ETA -' : `ETA ${duration(rate.etaSeconds)}`,
  ];
}

export function plainLine(status: SweepStatus, rate: Rate): string {
  return `${status.sweep}: ${figures(status, rate).join(', ')}`;
}

/** One line that fits the terminal: the bar gives way first, then the figures from the right. */
export function liveLine(status: SweepStatus, rate: Rate, columns: number): string {
  const share = status.cells.total === 0 ? 1 : endedCells(status) / status.cells.total;
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const shown = figures(status, rate);
  const width = (): number => [percent, ...shown].join('  ').length;
  while (shown.length > 1 && width() >= columns) shown.pop();
  const room = Math.min(BAR_CELLS, columns - width() - 3);
  const full = Math.round(share * room);
  const bar = room < SHORTEST_BAR ? '' : `${pc.cyan('━'.repeat(full))}${pc.dim('─'.repeat(room - full))}  `;
  return `${bar}${pc.bold(percent)}  ${shown.map((text) => (/^[1-9]\d* failed$/.test(text) ? pc.red(text) : text)).join('  ')}`;
}
