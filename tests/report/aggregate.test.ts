import { describe, expect, it } from 'vitest';
import { armGrids } from '../../report/aggregate.js';
import { cellFace } from '../../report/cellFace.js';
import { isNeedleRow } from '../../domain/rows.js';
import type { ResolvedTask } from '../../domain/task.js';
import { renderTerminal } from '../../report/terminal/report.js';
import { lengthMarks } from '../../report/lengthMarks.js';
import { everyState, needleNumbers, noCells, nothingMeasured, oneArm, tenArms } from './fixtures.js';
import { gathered } from './source.js';

const only = <Item>(items: readonly Item[]): Item => {
  expect(items).toHaveLength(1);
  return items[0] as Item;
};

describe('grids', () => {
  it('have one row a depth and one column a context length, arms in the order of the spec', async () => {
    const rows = tenArms();
    const grids = armGrids(await gathered({ ...rows, arms: [...rows.arms].reverse() }));
    expect(grids.map(({ arm }) => arm.ordinal)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(grids.every(({ cells }) => cells.length === 5 && cells.every((row) => row.length === 6))).toBe(true);
    expect(grids.flatMap(({ cells }) => cells.flat()).reduce((sum, cell) => sum + (cell?.n ?? 0), 0)).toBe(rows.cells.length);
  });

  it('sum scores that are shares, and a reach has its interval all the same', async () => {
    const rows = oneArm({ change: (cell) => ({ ...cell, needle: needleNumbers({ exactMatch: false, tokenRecall: cell.contextTokens <= 128 ? 0.95 : 0.5 }) }) });
    const task = { kind: 'needle', criterion: 'tokenRecall' } as ResolvedTask;
    const { reach } = only(armGrids(await gathered({ ...rows, tasks: [task] })));
    expect(reach).toMatchObject({ contextTokens: 128, n: 10 });
    expect(reach?.passed).toBeCloseTo(9.5, 10);
    expect(renderTerminal(await gathered({ ...rows, tasks: [task] }), { columns: 80, color: 'none', ascii: false })).toContain(' 9.5/10 ');
  });

  it('average recall and entropy over the seeds of a cell', async () => {
    const rows = oneArm({
      contexts: [128],
      depths: [0.5],
      seeds: [1, 2, 3, 4],
      change: (cell) => ({ ...cell, needle: needleNumbers({ exactMatch: cell.seed !== 4, entropy: cell.seed }) }),
    });
    const cell = only(armGrids(await gathered(rows))).cells[0]?.[0];
    expect(cell).toMatchObject({ n: 4, passed: 3, recall: 0.75, entropy: { mean: 2.5, n: 4, source: 'entropy' } });
  });

  it('take the first answer row for all seeds of a cell where one has no entropy', async () => {
    const rows = oneArm({
      contexts: [128],
      depths: [0.5],
      change: (cell) => ({ ...cell, needle: needleNumbers({ entropy: cell.seed === 1 ? 1 : null, entropyFirst: 2 + cell.seed }) }),
    });
    expect(only(armGrids(await gathered(rows))).cells[0]?.[0]?.entropy).toEqual({ mean: 3.5, n: 2, source: 'entropyFirst' });
  });

  it('count a diverged cell as not retrieved, and planned, failed and infeasible ones not at all', async () => {
    const grid = only(armGrids(await gathered(everyState())));
    const at1024 = grid.recalls.find(({ contextTokens }) => contextTokens === 1024);
    // Five depths of two seeds: two diverged, two failed, two planned, four measured of which two pass.
    expect(at1024).toMatchObject({ n: 6, passed: 2, missing: 4 });
    expect(grid.recalls.find(({ contextTokens }) => contextTokens === 2048)).toMatchObject({ n: 0, missing: 10 });
    expect(grid.states).toEqual({ planned: 2, measured: 43, diverged: 2, infeasible: 10, failed: 3 });
    expect(grid.reach).toMatchObject({ contextTokens: 512, n: 9, isComplete: false });
  });

  it('leave a hole where an arm has no cell', async () => {
    const rows = tenArms();
    const first = rows.arms[0]?.id;
    const grids = armGrids(await gathered({ ...rows, cells: rows.cells.filter(({ armId, contextTokens }) => armId !== first || contextTokens !== 256) }));
    expect(grids[0]?.contexts).toContain(256);
    expect(grids[0]?.cells.map((row) => row[2])).toEqual([null, null, null, null, null]);
  });

  it('keep tasks apart', async () => {
    const rows = oneArm({ contexts: [64], depths: [0, 1] });
    const cells = rows.cells.filter(isNeedleRow).map((cell) => (cell.depth === 1 ? { ...cell, task: 1 } : cell));
    expect(armGrids(await gathered({ ...rows, cells })).map(({ task, depths }) => [task, depths])).toEqual([[0, [0]], [1, [1]]]);
  });

  it('are empty without cells', async () => expect(armGrids(await gathered(noCells()))).toEqual([]));
});

describe('the face of a cell', () => {
  it('shows states where there are no numbers, and marks what is partial or of the first row', async () => {
    const faces = only(armGrids(await gathered(everyState()))).cells.map((row) => row.map(cellFace).map(({ text, marks }) => text + marks));
    expect(faces.map((row) => row.slice(4))).toEqual([['div', 'oom'], ['1.82', 'oom'], ['fail', 'oom'], ['1.83', 'oom'], ['·', 'oom']]);
    expect(faces[1]?.[3]).toMatch(/^\d\.\d\d\*$/);
    expect(faces[4]?.[2]).toMatch(/^\d\.\d\d~$/);
    expect(only(armGrids(await gathered(nothingMeasured()))).cells.flat().map(cellFace).every(({ text, recall }) => text === '·' && recall === null)).toBe(true);
  });
});

describe('marks of lengths', () => {
  const contexts = [64, 128, 256, 512];
  const markOf = (continued: number | null) => {
    const arm = only(oneArm({ continued, contexts }).arms);
    return lengthMarks(arm, contexts).find(({ kind }) => kind === 'continualPretrain');
  };

  it.each([
    [256, 3, null],
    [300, 3, null],
    [511, 3, null],
    [512, 4, null],
    [4096, 4, 'above'],
    [64, 1, null],
    [32, 0, 'below'],
  ] as const)('put %d tokens on border %d (outside: %s)', (continued, border, outside) => {
    expect(markOf(continued)).toEqual({ kind: 'continualPretrain', tokens: continued, border, outside });
  });

  it('have none for a checkpoint that was not continued, and always L0', () => {
    expect(markOf(null)).toBeUndefined();
    expect(lengthMarks(only(oneArm({ continued: null }).arms), contexts)).toEqual([{ kind: 'original', tokens: 128, border: 2, outside: null }]);
  });

  it('keep continued at L0 apart from not continued', () => expect(markOf(128)).toMatchObject({ border: 2 }));
});
