import { describe, expect, it } from 'vitest';
import { digest } from '../../domain/identity.js';
import { id, type CellKey } from '../../domain/ids.js';
import type { PerplexityNumbers } from '../../domain/measurement.js';
import { countedTokens, type WindowConvention } from '../../domain/perplexity.js';
import type { PerplexityCellRow, SweepRows } from '../../domain/rows.js';
import { TABLES } from '../../report/export/tables.js';
import { renderHtml } from '../../report/html/report.js';
import { reportJson } from '../../report/json.js';
import { perplexityCharts } from '../../report/perplexityCurves.js';
import { renderTerminal } from '../../report/terminal/report.js';
import { exportObjects, exportText, gathered, sourceOf } from './source.js';
import { oneArm, tenArms } from './fixtures.js';

/** Every loss ln 8, then ln 2 from position 100 on: perplexity 8 up to 100 tokens, lower beyond. */
const lossAt = (position: number): number => (position < 100 ? Math.log(8) : Math.log(2));

function measured(windowTokens: number, windowStarts: readonly number[], bytes: boolean): PerplexityNumbers {
  const nll = windowStarts.flatMap(() => Array.from({ length: windowTokens - 1 }, (_, index) => lossAt(index + 1)));
  const stored = { nll, tokenBytes: bytes ? nll.map(() => 4) : null, windowTokens, windowStarts };
  return { ...stored, ...countedTokens(stored), tokenDigest: digest('tokens') };
}

const DOCUMENTS = ['doc-a', 'doc-b', 'doc-c'];

interface Shape {
  readonly rows?: SweepRows;
  readonly contexts?: readonly number[];
  readonly windows?: WindowConvention;
  /** Cells of an arm: by default one a document, at the longest length. */
  readonly lengths?: (arm: number) => readonly number[];
  readonly bytes?: boolean;
  readonly change?: (cell: PerplexityCellRow, arm: number) => PerplexityCellRow;
}

/** The arms of another fixture with perplexity cells in place of needle cells. */
function perplexityRows({ rows = oneArm(), contexts = [64, 128, 512], windows = { kind: 'first' }, lengths, bytes = true, change = (cell) => cell }: Shape = {}): SweepRows {
  const starts = windows.kind === 'first' ? [0] : [0, 64];
  const cells = rows.arms.flatMap((arm) =>
    (lengths?.(arm.ordinal) ?? contexts.slice(-1)).flatMap((contextTokens) =>
      DOCUMENTS.map((document) =>
        change(
          {
            key: id<CellKey>(digest([arm.ordinal, contextTokens, document])),
            armId: arm.id,
            task: 0,
            taskKind: 'perplexity',
            contextTokens,
            document,
            state: 'measured',
            origin: 'grid',
            reason: null,
            perplexity: measured(contextTokens, starts, bytes),
            measured: { at: new Date(Date.UTC(2026, 10, 1)), seconds: 0.25, worker: 'host-a/1', fingerprint: 'fixture' },
          },
          arm.ordinal,
        ),
      ),
    ),
  );
  return {
    ...rows,
    cells,
    tasks: [
      {
        kind: 'perplexity',
        documents: DOCUMENTS.map((document, row) => ({ id: document, name: `pile.jsonl row ${row + 1}`, tokens: 5000, source: { kind: 'absent' }, headIds: [], textDigest: null })),
        tokenizerDigest: 'tokenizer',
        windows,
        lastTokens: 16,
        buckets: null,
        contextTokens: contexts,
      },
    ],
  };
}

const failed = (cell: PerplexityCellRow): PerplexityCellRow => ({ ...cell, state: 'failed', reason: 'DOCUMENT_MISMATCH: another text', perplexity: null, measured: null });
const style = { columns: 80, color: 'none', ascii: false } as const;
/** Mean loss of the first L tokens. */
const expected = (length: number): number => Math.exp(Array.from({ length: length - 1 }, (_, index) => lossAt(index + 1)).reduce((sum, loss) => sum + loss, 0) / (length - 1));

describe('perplexity by context length', () => {
  it('is derived from the longest cells for every length of the task', async () => {
    const [chart] = perplexityCharts(await gathered(perplexityRows()));
    const points = chart?.curves[0]?.points ?? [];
    expect(points.map(({ contextTokens }) => contextTokens)).toEqual([64, 128, 512]);
    points.forEach((point) => {
      expect(point.perplexity).toBeCloseTo(expected(point.contextTokens), 10);
      expect(point.losses.tokenCount).toBe(3 * (point.contextTokens - 1));
      expect(point.bitsPerByte).toBeCloseTo(Math.log2(expected(point.contextTokens)) / 4, 10);
      expect(point.missing).toBe(0);
    });
    expect(points.map(({ last }) => last.tokenCount)).toEqual([48, 48, 48]);
    expect(chart?.curves[0]?.buckets.map(({ from, to, losses }) => [from, to, losses.tokenCount])).toEqual(
      [[1, 2], [2, 4], [4, 8], [8, 16], [16, 32], [32, 64], [64, 128], [128, 256], [256, 512]].map(([from = 0, to = 0]) => [from, to, 3 * (to - from)]),
    );
  });

  it('is never taken from another length where a length has cells of its own', async () => {
    const rows = perplexityRows({ lengths: () => [64, 128, 512], change: (cell) => (cell.contextTokens === 128 ? failed(cell) : cell) });
    const points = perplexityCharts(await gathered(rows))[0]?.curves[0]?.points ?? [];
    expect(points.map(({ perplexity, missing }) => [perplexity === null, missing])).toEqual([[false, 0], [true, 3], [false, 0]]);
  });

  it('leaves out a document without numbers and says so', async () => {
    const rows = perplexityRows({ change: (cell) => (cell.document === 'doc-b' ? failed(cell) : cell) });
    expect(perplexityCharts(await gathered(rows))[0]?.curves[0]?.points.map(({ missing, losses }) => [missing, losses.tokenCount])).toEqual([[1, 126], [1, 254], [1, 1022]]);
    const text = renderTerminal(await gathered(rows), style);
    expect(text).toContain(`${expected(64).toPrecision(4)}*`);
    expect(text).toContain('* some documents have no numbers.');
    expect(text).toContain('1 cell failed: DOCUMENT_MISMATCH: another text');
  });

  it('of sliding windows counts each token once, at its own length only', async () => {
    const rows = perplexityRows({ windows: { kind: 'sliding', strideTokens: 64, maximumWindows: 2 }, contexts: [128, 512], lengths: () => [128, 512] });
    expect(perplexityCharts(await gathered(rows))[0]?.curves[0]?.points.map(({ losses }) => losses.tokenCount)).toEqual([3 * (127 + 64), 3 * (511 + 64)]);
  });
});

describe('the terminal', () => {
  it('has a table of arms by lengths, and one of bits per byte', async () => {
    const lines = renderTerminal(await gathered(perplexityRows()), style).split('\n').slice(2);
    expect(lines).toEqual([
      'Perplexity: 3 documents, weighted by token; the first tokens of each document,',
      'one window',
      'perplexity                   64    128    512',
      'yarn 8, continued at 512  8.000  5.893  2.616',
      '',
      'bits per byte                 64     128     512',
      'yarn 8, continued at 512  0.7500  0.6398  0.3469',
      'bits per byte do not depend on the tokenizer.',
    ]);
  });

  it('keeps to its width with many lengths, and says how many are left out', async () => {
    const contexts = Array.from({ length: 64 }, (_, index) => 64 * (index + 1));
    const lines = renderTerminal(await gathered(perplexityRows({ rows: tenArms(), contexts, bytes: false })), style).split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
    const head = lines.find((line) => line.startsWith('perplexity ')) ?? '';
    expect(head).toMatch(/ 64 .* 4096$/);
    expect(lines.some((line) => /^\d+ more lengths in the HTML report$/.test(line))).toBe(true);
    expect(lines.some((line) => line.includes('bits per byte'))).toBe(false);
  });
});

describe('the HTML report', () => {
  it('has a chart with a line an arm on a logarithmic axis, and the numbers as tables', async () => {
    const page = await renderHtml(await gathered(perplexityRows({ rows: tenArms(), change: (cell, arm) => (arm === 0 ? { ...cell, perplexity: measured(512, [0], true) } : cell) })));
    expect(page).toContain('<h2>Perplexity</h2>');
    expect(page).not.toContain('<h2>Needle in a haystack</h2>');
    expect(page).not.toContain('This sweep has no cells.');
    expect(page.match(/<path aria-label|<path d="M[^"]*L/g)?.length ?? 0).toBeGreaterThanOrEqual(10);
    for (const caption of ['Perplexity by arm and context length', 'Bits per byte', 'Perplexity of the last 16 tokens of each context', 'Perplexity by position', 'Every document at the longest length']) expect(page).toContain(caption);
    expect(page).toContain('pile.jsonl row 3');
    expect(page).not.toMatch(/<script|src=|href="http/);
  });

  it('is drawn where nothing is measured yet', async () => {
    const page = await renderHtml(await gathered(perplexityRows({ change: (cell) => ({ ...failed(cell), state: 'planned', reason: null }) })));
    expect(page).toContain('Nothing is measured yet.');
    expect(renderTerminal(await gathered(perplexityRows({ change: failed })), style)).toMatch(/yarn 8, continued at 512 +- +- +-/);
  });
});

describe('exports', () => {
  it('have the losses of perplexity cells in the columns of all cells', async () => {
    const [row = {}] = await exportObjects(sourceOf(perplexityRows()));
    expect(row).toMatchObject({ taskKind: 'perplexity', document: 'doc-a', tokenCount: 511, byteCount: 4 * 511, exactMatch: null, nll: null, tokenDigest: digest('tokens') });
    expect(row['perplexity']).toBeCloseTo(expected(512), 10);
    expect(row['bitsPerByte']).toBeCloseTo(Math.log2(expected(512)) / 4, 10);
  });

  it('have a row a length and document, all together first, in an order that does not depend on that of the rows', async () => {
    const rows = perplexityRows({ rows: tenArms() });
    const lines = await exportObjects(sourceOf(rows), { rows: 'perplexity' });
    expect(await exportObjects(sourceOf({ ...rows, arms: [...rows.arms].reverse(), cells: [...rows.cells].reverse() }), { rows: 'perplexity' })).toEqual(lines);
    expect(lines).toHaveLength(10 * 3 * (1 + 3));
    expect(lines[0]).toMatchObject({ arm: 'none, not continued', windows: 'first', strideTokens: null, contextTokens: 64, document: null, documents: 3, missingDocuments: 0, tokenCount: 189, lastTokens: 16 });
    expect(lines[1]).toMatchObject({ document: 'doc-a', documentName: 'pile.jsonl row 1', documents: 1, tokenCount: 63, byteCount: 252 });
    const [head = ''] = (await exportText(sourceOf(rows), { rows: 'perplexity' })).split('\n');
    expect(head.split(',')).toEqual(TABLES.perplexity.columns.map(({ name }) => name));
  });

  it('as JSON have points and buckets of each arm', async () => {
    const [chart] = reportJson(await gathered(perplexityRows())).perplexity;
    expect(chart).toMatchObject({ task: 0, windows: { kind: 'first' }, lastTokens: 16 });
    expect(chart?.arms[0]?.points.map(({ contextTokens, tokenCount, documents }) => [contextTokens, tokenCount, documents.length])).toEqual([[64, 189, 3], [128, 381, 3], [512, 1533, 3]]);
    expect(chart?.arms[0]?.buckets).toHaveLength(9);
  });
});
