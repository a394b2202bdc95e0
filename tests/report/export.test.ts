import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isNeedleRow, type SweepRows } from '../../domain/rows.js';
import { TABLES } from '../../report/export/tables.js';
import type { ExportOptions } from '../../report/export/exported.js';
import { reportJson } from '../../report/json.js';
import { exportObjects, exportPieces, exportText, gathered, sourceOf } from './source.js';
import { everyState, needleNumbers, noCells, oneArm, tenArms } from './fixtures.js';

const text = (rows: SweepRows, options: Partial<ExportOptions> = {}): Promise<string> => exportText(sourceOf(rows), options);
const objects = (rows: SweepRows): Promise<Record<string, unknown>[]> => exportObjects(sourceOf(rows));
const NAMES = TABLES.cells.columns.map(({ name }) => name);

/** A small reader of RFC 4180, written from the RFC. */
function parseCsv(csv: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, bare, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)) {
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? bare ?? '');
    if (end === '\n') rows.push([]);
  }
  return rows.slice(0, -1);
}

describe('an export', () => {
  it('has one row a cell', async () => {
    const rows = tenArms();
    const [head, ...lines] = parseCsv(await text(rows));
    expect(lines).toHaveLength(600);
    expect(lines.every((line) => line.length === head?.length)).toBe(true);
    const order = (await objects(rows)).map(({ arm, contextTokens, depth, seed }) => [arm, contextTokens, depth, seed]);
    expect(order.slice(0, 3)).toEqual([['none, not continued', 64, 0, 1], ['none, not continued', 64, 0, 2], ['none, not continued', 64, 0.25, 1]]);
  });

  it('reads back to the same numbers, bit for bit', async () => {
    const numbers = needleNumbers({ nll: [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3], sumNll: 0.1 + 0.2, entropy: Math.PI, needleLift: 1e-7 });
    const rows = oneArm({ contexts: [64], depths: [1 / 3], seeds: [1], change: (cell) => ({ ...cell, needle: numbers }) });
    const [head = [], line = []] = parseCsv(await text(rows));
    const field = (name: string): string => line[head.indexOf(name)] ?? '';
    expect(JSON.parse(field('nll'))).toEqual(numbers.nll);
    expect([field('sumNll'), field('entropy'), field('needleLift'), field('depth')].map(Number)).toEqual([0.1 + 0.2, Math.PI, 1e-7, 1 / 3]);
    expect((await objects(rows))[0]).toMatchObject({ ...numbers, heads: null });
  });

  it('quotes what CSV must quote', async () => {
    const rows = oneArm({ contexts: [64], depths: [0], seeds: [1] });
    const label = 'a "b", c\nd';
    const [head = [], line = []] = parseCsv(await text({ ...rows, arms: rows.arms.map((arm) => ({ ...arm, label })) }));
    expect(line[head.indexOf('arm')]).toBe(label);
  });

  it('leaves fields without numbers empty, null in JSON Lines', async () => {
    const [head = [], ...lines] = parseCsv(await text(everyState()));
    const failed = lines.filter((line) => line[head.indexOf('state')] === 'failed');
    expect(failed).toHaveLength(3);
    expect(failed.every((line) => line[head.indexOf('entropy')] === '' && line[head.indexOf('reason')] !== '')).toBe(true);
    expect((await objects(everyState())).find(({ state }) => state === 'failed')).toMatchObject({ entropy: null, nll: null, exactMatch: null });
  });

  it('with results only is the same for runs at other times, places and revisions', async () => {
    const first = everyState();
    const second: SweepRows = {
      ...first,
      revision: 7,
      updatedAt: new Date(0),
      cells: first.cells.map((cell) => ({
        ...cell,
        reason: cell.reason === null ? null : 'died with pid 4711',
        measured: cell.measured && { at: new Date(0), seconds: 99, worker: 'host-b/2', fingerprint: 'another' },
      })),
    };
    for (const format of ['csv', 'jsonl'] as const) {
      expect(await text(second, { format })).not.toBe(await text(first, { format }));
      expect(await text(second, { format, resultsOnly: true })).toBe(await text(first, { format, resultsOnly: true }));
    }
  });

  it('with results only still differs where one number differs in its last bit', async () => {
    const first = oneArm();
    const cells = first.cells.filter(isNeedleRow).map((cell, at) =>
      at === 17 && cell.needle !== null ? { ...cell, needle: { ...cell.needle, entropyFirst: cell.needle.entropyFirst + Number.EPSILON } } : cell,
    );
    expect(await text({ ...first, cells }, { resultsOnly: true })).not.toBe(await text(first, { resultsOnly: true }));
  });

  it('of no cells is a header, or nothing', async () => {
    expect(parseCsv(await text(noCells()))).toEqual([NAMES]);
    expect(await text(noCells(), { format: 'jsonl' })).toBe('');
  });

  it('comes in pieces of whole lines', async () => {
    const pieces = (await exportPieces(sourceOf(tenArms()), { resultsOnly: true })) as string[];
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.every((piece) => piece.endsWith('\n'))).toBe(true);
  });
});

describe('the documentation of exports', () => {
  it('describes every column of every kind of rows, in order, with its type and which are circumstance', () => {
    const page = readFileSync(new URL('../../docs/export-columns.md', import.meta.url), 'utf8');
    for (const [rows, { columns }] of Object.entries(TABLES)) {
      const section = page.split(/^## /m).find((one) => one.startsWith(`\`--rows ${rows}\``)) ?? '';
      const documented = [...section.matchAll(/^\| `(\w+)` \| `([^`]+)` \|.*$/gm)].map(([line, name, type]) => [name, type, line.includes('*circumstance*') ? 'circumstance' : 'result']);
      expect(documented, rows).toEqual(columns.map(({ name, type, kind }) => [name, type, kind]));
    }
  });

  it('names no column twice', () => {
    for (const { columns } of Object.values(TABLES)) expect(new Set(columns.map(({ name }) => name)).size).toBe(columns.length);
  });
});

describe('the report as JSON', () => {
  it('has the aggregates of every arm and survives JSON', async () => {
    const report = reportJson(await gathered(tenArms()));
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(report.arms).toHaveLength(10);
    expect(report.arms[2]).toMatchObject({ arm: 'pi 8, continued at 256', continualPretrainContextTokens: 256, reach: { contextTokens: 256, n: 10 } });
    expect(report.arms[0]?.cells).toHaveLength(30);
    expect(reportJson(await gathered(everyState())).outcomes[0]).toEqual({ state: 'infeasible', reason: 'needs 3.1 GB, the class cpu has 2.0 GB', cells: 10 });
  });
});
