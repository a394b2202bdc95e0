import stringWidth from 'string-width';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../../cli/live/frame.js';
import { screenLines, type ScreenChoice } from '../../cli/live/layout.js';
import { ends, fit, joinFitting, tableLines } from '../../cli/live/table.js';
import { fixtureArm, fixtureCells, fixtureDetail, fixtureFrame, fixtureShard, fixtureSweep, fixtureWork } from './liveFixture.js';

const lines = (frame: Frame, columns: number, rows: number, choice: Partial<ScreenChoice> = {}, color: 'truecolor' | 'none' = 'none', ascii = false): string[] =>
  screenLines(frame, { columns, rows }, { color, ascii }, { help: false, listed: false, clock: '12:00:00', ...choice });

const severalSweeps = (): Frame =>
  fixtureFrame({ sweeps: [{ ...fixtureDetail() }, ...Array.from({ length: 12 }, (_, at) => fixtureSweep(`earlier-${String(at)}`, { state: 'done', cells: fixtureCells(600, 600), work: null }))] });

describe('the full screen', () => {
  const frames: readonly (readonly [string, Frame, Partial<ScreenChoice>])[] = [
    ['a sweep', fixtureFrame(), {}],
    ['a list of sweeps', severalSweeps(), { listed: true }],
    ['the help', fixtureFrame(), { help: true }],
    ['nothing seen yet', fixtureFrame({}, { view: null, stale: 'nothing runs here' }), {}],
    ['an empty store', fixtureFrame({ detail: null, sweeps: [] }), { listed: true }],
    ['a hundred arms and shards', fixtureFrame({ detail: fixtureDetail({ arms: Array.from({ length: 100 }, (_, at) => fixtureArm(`arm ${String(at)}`)), running: Array.from({ length: 100 }, (_, at) => fixtureShard(String(at))) }) }), {}],
  ];

  it.each(frames)('of %s has exactly the lines of every terminal and none that is wider', (_, frame, choice) => {
    for (const color of ['truecolor', 'none'] as const) {
      for (const columns of [1, 10, 20, 40, 60, 80, 132, 250]) {
        for (const rows of [1, 2, 5, 10, 24, 50, 100]) {
          const shown = lines(frame, columns, rows, choice, color);
          expect(shown).toHaveLength(rows);
          expect(Math.max(...shown.map((line) => stringWidth(line)))).toBeLessThanOrEqual(columns);
        }
      }
    }
  });

  it('of 80 x 24 tells progress by cost, time left with its spread, arms, shards, workers and failures', () => {
    const text = lines(fixtureFrame(), 80, 24).join('\n');
    for (const part of ['demo  running for 12 min 0 s', '25 % of cost', '270/600 cells', 'ETA 12 min 30 s', '(10 min 0 s to 15 min 38 s)', '3 failed', '1 recovery', 'ARM', 'RUNNING', 'WORKER', 'FAILURE', 'SLOT_CRASHED']) {
      expect(text).toContain(part);
    }
  });

  it('of 40 x 20 keeps the time left and the failures', () => {
    const text = lines(fixtureFrame(), 40, 20).join('\n');
    for (const part of ['25 % of cost', '270/600 cells', 'ETA 12 min 30 s', '3 failed', 'RUNNING', 'SLOT_CRASHED']) expect(text).toContain(part);
  });

  it('shows the arm that runs where not all arms fit, and says how many there are', () => {
    const text = lines(fixtureFrame(), 80, 24).join('\n');
    expect(text).toMatch(/ARM \(\d of 10\)/);
    expect(text).toMatch(/^yarn 8 .* 2 +100 %$/m);
  });

  it('marks the chosen sweep in the list, also where it is far down', () => {
    const frame = severalSweeps();
    const last = frame.view?.sweeps.at(-1);
    if (frame.view === null || last === undefined) throw new Error('no sweeps');
    const detail = fixtureDetail({ ...last, work: fixtureWork() });
    const text = lines({ ...frame, view: { ...frame.view, detail } }, 80, 24, { listed: true }).join('\n');
    expect(text).toContain('› earlier-11');
  });

  it('lets no reason move the cursor', () => {
    const shown = lines(fixtureFrame(), 120, 40);
    expect(shown.join('')).not.toContain('\u001b');
    expect(shown.join('\n')).toContain('killed by SIGSEGV [2J after 5 attempts');
  });

  it('says the same with colours and without, and has ASCII characters alone where asked', () => {
    expect(lines(fixtureFrame(), 80, 24, {}, 'truecolor').map(stripVTControlCharacters)).toEqual(lines(fixtureFrame(), 80, 24));
    expect(lines(fixtureFrame(), 80, 24, {}, 'none', true).join('\n')).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('says why nothing new is seen, and that a sweep waits for workers', () => {
    const stale = lines(fixtureFrame({}, { stale: 'PostgreSQL does not answer' }), 80, 24);
    expect(stale[1]).toBe('PostgreSQL does not answer');
    expect(lines(fixtureFrame({ workers: [] }), 80, 24).join('\n')).toContain('no worker is registered');
  });

  it('shows a sweep that has ended with its state, and no time left', () => {
    const detail = fixtureDetail({ state: 'done', cells: fixtureCells(600, 600), running: [], failures: [] });
    const text = lines(fixtureFrame({ detail, sweeps: [detail] }), 80, 24).join('\n');
    expect(text).toContain('demo  done 12 min 0 s ago');
    expect(text).toContain('100 % of cost');
    expect(text).not.toContain('ETA');
  });
});

describe('fitting text', () => {
  it('cuts by what a character takes on the screen, not by its code units', () => {
    expect(fit('位置编码扩展', 7)).toBe('位置编…');
    expect(stringWidth(fit('位置编码扩展', 6))).toBe(6);
    expect(fit('ab', 4, 'right')).toBe('  ab');
    expect(fit('abc', 0)).toBe('');
  });

  it('leaves out what does not fit beside the rest', () => {
    expect(joinFitting(['270/600 cells', 'ETA 12 min 30 s', '(10 min 0 s to 15 min 38 s)', '3 failed'], 40)).toBe('270/600 cells  ETA 12 min 30 s  3 failed');
    expect(ends('left', 'right', 20)).toBe('left           right');
    expect(ends('left', 'right', 8)).toBe('left    ');
  });

  it('cuts the columns that may be cut before it gives up others, the least needed first', () => {
    const columns = [
      { head: 'ARM', text: ({ arm }: { arm: string }) => arm, giveUp: 0, least: 8 },
      { head: 'cells', text: () => '1/2', align: 'right' as const, giveUp: 1 },
      { head: 'worker', text: () => 'node-1', giveUp: 2 },
      { head: 'empty', text: () => '', giveUp: 3 },
    ];
    const table = (width: number): string[] => tableLines(columns, [{ arm: 'yarn 8, continued at 256' }], width, (head) => head);
    expect(table(60)).toEqual(['ARM                       cells  worker', 'yarn 8, continued at 256    1/2  node-1']);
    expect(table(30)).toEqual(['ARM              cells  worker', 'yarn 8, contin…    1/2  node-1']);
    expect(table(16)).toEqual(['ARM        cells', 'yarn 8, …    1/2']);
  });
});
