import { describe, expect, it } from 'vitest';
import { liveLine, plainLine, RateMeter } from '../../cli/progress.js';
import type { SweepId } from '../../domain/ids.js';
import type { SweepStatus } from '../../domain/ports.js';

const status = (measured: number, total = 600, failed = 0): SweepStatus => ({
  sweep: 'demo' as SweepId,
  revision: 1,
  state: 'running',
  cells: { total, planned: total - measured - failed, measured, diverged: 0, infeasible: 0, failed },
  runningCells: 30,
  openClasses: ['cpu'],
  shards: { planned: 1, leased: 1, done: 0, failed: 0, superseded: 0 },
  loads: 0,
  reason: null,
  concurrency: 16,
  priority: 3,
  createdAt: new Date(0),
  updatedAt: new Date(0),
});

describe('rate and ETA', () => {
  it('are unknown until a cell ends, and leave the start-up out', () => {
    const meter = new RateMeter();
    for (let at = 0; at <= 60_000; at += 300) expect(meter.measure(status(0), at)).toEqual({ cellsPerSecond: 0, etaSeconds: null });
    const { cellsPerSecond, etaSeconds } = meter.measure(status(30), 61_000);
    expect(cellsPerSecond).toBeCloseTo(30, 0);
    expect(etaSeconds).toBeCloseTo(19, 0);
  });

  it('follow the last seconds, not the average of the run', () => {
    const meter = new RateMeter();
    for (let second = 0; second <= 100; second += 1) meter.measure(status(second, 10_000), second * 1000);
    let last = { cellsPerSecond: 0, etaSeconds: null as number | null };
    for (let second = 1; second <= 20; second += 1) last = meter.measure(status(100 + 50 * second, 10_000), (100 + second) * 1000);
    expect(last.cellsPerSecond).toBeCloseTo(50, 0);
  });
});

describe('the live line', () => {
  const shown = (text: string): string => text.replace(/\u001b\[[0-9;]*m/g, '');
  const rate = { cellsPerSecond: 22.6, etaSeconds: 61 };

  it('fits every terminal, and keeps the counts longest', () => {
    for (const columns of [30, 40, 50, 60, 80, 100, 200]) {
      const line = shown(liveLine(status(123, 100_000, 7), rate, columns));
      expect(line.length, `${columns} columns`).toBeLessThan(columns);
      expect(line).toContain('130/100000 cells');
    }
  });

  it('shows done, running, failed, rate and ETA where there is room', () => {
    expect(shown(liveLine(status(300), rate, 130))).toMatch(/━+─+ {2} 50 % {2}300\/600 cells {2}30 running {2}0 failed {2}22\.6 cells\/s {2}ETA 1 min 1 s$/);
    expect(plainLine(status(300), rate)).toBe('demo: 300/600 cells, 30 running, 0 failed, 22.6 cells/s, ETA 1 min 1 s');
  });
});
