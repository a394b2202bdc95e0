import { describe, expect, it } from 'vitest';
import type { SweepRows } from '../../domain/rows.js';
import { renderTerminal } from '../../report/terminal/report.js';
import { terminalStyle, type TerminalStyle } from '../../report/terminal/style.js';
import { everyState, hugeSweep, needleNumbers, noCells, nothingMeasured, oneArm, tenArms } from './fixtures.js';
import { gathered } from './source.js';

const style = (over: Partial<TerminalStyle> = {}): TerminalStyle => ({ columns: 80, color: 'none', ascii: false, ...over });
const uncoloured = (text: string): string => text.replace(/\u001b\[[0-9;]*m/g, '');
/** The lines after the heading. */
const mapOf = async (rows: SweepRows, over: Partial<TerminalStyle> = {}): Promise<string[]> => {
  const lines = renderTerminal(await gathered(rows), style(over)).split('\n');
  return lines.slice(lines.indexOf('') + 1);
};
const withoutNumbers = (line: string): string => line.replace(/\d\.\d\d/g, 'n.nn');

describe('the heat map in the terminal', () => {
  it('has recall as a symbol, entropy as a number, and both lengths as lines between columns', async () => {
    const rows = oneArm({
      depths: [0, 0.5, 1],
      change: (cell) => ({
        ...cell,
        needle: needleNumbers({
          exactMatch: cell.contextTokens <= 512 || (cell.contextTokens === 1024 && cell.seed === 1),
          entropy: cell.contextTokens / 1000 + cell.depth + (cell.seed === 1 ? 0.5 : -0.5),
        }),
      }),
    });
    expect((await mapOf(rows)).slice(0, 6)).toEqual([
      '     yarn 8, continued at 512',
      '        64   128┊  256   512╏ 1024  2048',
      '  0% ●0.06 ●0.13┊●0.26 ●0.51╏◑1.02 ○2.05',
      ' 50% ●0.56 ●0.63┊●0.76 ●1.01╏◑1.52 ○2.55',
      '100% ●1.06 ●1.13┊●1.26 ●1.51╏◑2.02 ○3.05',
      '',
    ]);
  });

  it('says so where weights were quantised, and nothing of weights where they were not', async () => {
    const rows = oneArm({});
    const quantised = { ...rows, arms: rows.arms.map((arm) => ({ ...arm, weightFormat: 'q4_1' })) };
    expect(renderTerminal(await gathered(quantised), style()).split('\n')[1]).toBe(`${rows.arms[0]?.model ?? ''} (4-bit weights, dequantised)`);
    expect(renderTerminal(await gathered(rows), style())).not.toContain('weights');
  });

  it('shows every state and mark, and explains them', async () => {
    const text = renderTerminal(await gathered(everyState()), style());
    expect((await mapOf(everyState())).slice(1, 7).map(withoutNumbers)).toEqual([
      '        64    128 ┊  256    512 ╏ 1024   2048',
      '  0% ●n.nn  ●n.nn ┊●n.nn  ●n.nn ╏○ div    oom',
      ' 25% ●n.nn  ●n.nn ┊●n.nn  ●n.nn*╏◑n.nn    oom',
      ' 50% ●n.nn  ●n.nn ┊●n.nn  ●n.nn ╏ fail    oom',
      ' 75% ●n.nn  ●n.nn ┊●n.nn~ ●n.nn ╏◑n.nn    oom',
      '100% ●n.nn  ●n.nn ┊●n.nn~ ●n.nn ╏    ·    oom',
    ]);
    for (const word of ['~ entropy of the first answer row', '* some seeds have no numbers', '· not run yet', 'fail: ', 'oom: ', 'div: ']) expect(text).toContain(word);
    expect(text).toContain('10 cells infeasible: needs 3.1 GB, the class cpu has 2.0 GB');
  });

  it.each([
    ['between columns', 300, '        64   128┊  256╏  512  1024  2048'],
    ['at a tested length', 256, '        64   128┊  256╏  512  1024  2048'],
    ['at the right edge', 2048, '        64   128┊  256   512  1024  2048╏'],
    ['beyond it', 4096, '        64   128┊  256   512  1024  2048›'],
    ['before the left edge', 32, '    ‹   64   128┊  256   512  1024  2048'],
    ['at L0', 128, '        64   128║  256   512  1024  2048'],
    ['nowhere', null, '        64   128┊  256   512  1024  2048'],
  ])('marks a continual-pretrain length %s', async (_where, continued, header) => {
    expect((await mapOf(oneArm({ continued })))[1]).toBe(header);
  });

  it.each([[80, 2], [120, 3], [200, 5]])('puts as many arms side by side as %d columns hold', async (columns, arms) => {
    const lines = renderTerminal(await gathered(tenArms()), style({ columns })).split('\n');
    expect(lines[2]?.match(/continued/g)).toHaveLength(arms);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
  });

  it('goes on in a further panel where a map is wider than the terminal', async () => {
    const lines = await mapOf(oneArm({ depths: [0] }), { columns: 30 });
    expect(lines.slice(0, 9).map(withoutNumbers)).toEqual([
      '   yarn 8, continued at 512',
      '   (1/2)',
      '      64   128┊  256',
      '0% ●n.nn ●n.nn┊●n.nn',
      '',
      '   yarn 8, continued at 512',
      '   (2/2)',
      '     512╏ 1024  2048',
      '0% ●n.nn╏○n.nn ○n.nn',
    ]);
  });

  it('is the same text in colour, in 24 bits and in 256 colours', async () => {
    const rows = await gathered(tenArms());
    const plain = renderTerminal(rows, style());
    const trimmed = (text: string): string => text.split('\n').map((line) => line.trimEnd()).join('\n');
    const [truecolor, palette] = (['truecolor', '256'] as const).map((color) => renderTerminal(rows, style({ color })));
    expect(trimmed(uncoloured(truecolor ?? ''))).toBe(trimmed(plain));
    expect(trimmed(uncoloured(palette ?? ''))).toBe(trimmed(plain));
    expect(truecolor).toContain('\u001b[48;2;246;224;88;38;2;0;0;0m');
    expect(palette).toContain('\u001b[48;5;221;38;5;16m');
    expect(plain).not.toContain('\u001b');
  });

  it('needs nothing but ASCII where the terminal has nothing else', async () => {
    for (const rows of [tenArms(), everyState(), nothingMeasured()]) expect(renderTerminal(await gathered(rows), style({ ascii: true }))).toMatch(/^[\x20-\x7e\n]*$/);
  });

  it('shows a sweep of which nothing is measured, and one without cells', async () => {
    expect((await mapOf(nothingMeasured()))[2]).toBe('  0%     ·     ·┊    ·     ·╏    ·     ·');
    expect(renderTerminal(await gathered(noCells()), style())).toContain('This sweep has no cells.');
  });

  it('lets no control sequence of a reason through', async () => {
    expect(everyState().cells.some(({ reason }) => reason?.includes('\u001b') === true)).toBe(true);
    expect(renderTerminal(await gathered(everyState()), style())).not.toContain('\u001b');
  });

  it('renders 100 arms of 400 cells within seconds', async () => {
    const rows = hugeSweep();
    const started = performance.now();
    const text = renderTerminal(await gathered(rows), style({ columns: 200, color: 'truecolor' }));
    console.log(`100 arms x 40 x 10 in the terminal: ${(performance.now() - started).toFixed(0)} ms, ${(text.length / 1e6).toFixed(1)} MB`);
    expect(Math.max(...uncoloured(text).split('\n').map((line) => line.length))).toBeLessThanOrEqual(200);
  }, 30_000);
});

describe('the arm table in the terminal', () => {
  it('has reach with n and interval, and both entropies at one length', async () => {
    const text = renderTerminal(await gathered(tenArms()), style());
    expect(text).toMatch(/^ntk 8 +256 +8 +1 +256 10\/10 72-100 % +512 \d\.\d\d \(\d\) \d\.\d\d \(\d\)$/m);
    expect(text).toMatch(/^pi 8 +- +8 +1 +- - +64 /m);
    expect(text).toMatch(/^yarn 8 +1024 +8 1\.459 ≥ 2048 10\/10 72-100 % +- - +-$/m);
  });
});

describe('the style of a terminal', () => {
  const terminal = { isTTY: true, columns: 132, getColorDepth: () => 24 };

  it('is what the terminal can show', () => {
    expect(terminalStyle(terminal, { TERM: 'xterm-256color' })).toEqual({ columns: 132, color: 'truecolor', ascii: false });
    expect(terminalStyle({ ...terminal, getColorDepth: () => 8 }, {}).color).toBe('256');
    expect(terminalStyle({ ...terminal, getColorDepth: () => 4 }, {}).color).toBe('none');
  });

  it('has no colour with NO_COLOR and in files and pipes', () => {
    expect(terminalStyle(terminal, { NO_COLOR: '1' }).color).toBe('none');
    expect(terminalStyle({}, {})).toEqual({ columns: 80, color: 'none', ascii: false });
    expect(terminalStyle({}, { COLUMNS: '120' }).columns).toBe(120);
  });

  it('is ASCII on a console or in a locale that has no other characters', () => {
    expect(terminalStyle(terminal, { TERM: 'linux' }).ascii).toBe(true);
    expect(terminalStyle(terminal, { LC_ALL: 'de_DE.ISO-8859-1' }).ascii).toBe(true);
    expect(terminalStyle(terminal, { LANG: 'C.UTF-8' }).ascii).toBe(false);
  });
});
