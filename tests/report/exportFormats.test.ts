import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SweepId } from '../../domain/ids.js';
import { sweepSource } from '../../cli/sweepSource.js';
import { exported } from '../../report/export/exported.js';
import type { ColumnWords } from '../../report/export/column.js';
import type { SweepSource } from '../../report/source.js';
import { EXPORT_SCHEMA_VERSION, ROW_KINDS, TABLES, type RowKind } from '../../report/export/tables.js';
import type { PrismaStore } from '../../results/store.js';
import { seedMixedSweep } from '../stack/mixedSweep.js';
import { useFreshStore } from '../stack/store.js';
import { exportObjects, exportPieces, exportText, sourceOf } from './source.js';
import { noCells, oneArm } from './fixtures.js';

let store: PrismaStore;
let sweep: SweepId;
let folder: string;
let duckdb: DuckDBConnection;
useFreshStore((fresh) => ({ store } = fresh));
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ropesweep-export-'));
  duckdb = await (await DuckDBInstance.create()).connect();
  sweep = await seedMixedSweep(store, 'mixed');
});
afterAll(async () => {
  duckdb.closeSync();
  await rm(folder, { recursive: true });
});

async function parquetFile(source: SweepSource, rows: RowKind): Promise<string> {
  const file = join(folder, `${rows}-${Math.random()}.parquet`);
  await writeFile(file, Buffer.concat((await exportPieces(source, { rows, format: 'parquet' })) as Uint8Array[]));
  return file;
}

/** As JSON Lines has it, from what a reader of the column's type gives. */
function comparable(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.toISOString();
  return Array.isArray(value) ? value.map(comparable) : value;
}

const DUCKDB_TYPES: Readonly<Record<ColumnWords['type'], string>> = {
  string: 'VARCHAR', int64: 'BIGINT', double: 'DOUBLE', boolean: 'BOOLEAN', timestamp: 'TIMESTAMP WITH TIME ZONE', 'string[]': 'VARCHAR[]', 'int64[]': 'BIGINT[]', 'double[]': 'DOUBLE[]',
};

describe('Parquet', () => {
  it.each(ROW_KINDS)('is what DuckDB reads: %s have the same types, values and order as JSON Lines, to the last bit', async (rows) => {
    const source = await sweepSource(store, sweep);
    const wanted = await exportObjects(source, { rows });
    const file = await parquetFile(source, rows);
    const reader = await duckdb.runAndReadAll(`SELECT * FROM '${file}'`);
    expect(reader.columnNames().map((name, at) => [name, String(reader.columnType(at))])).toEqual(TABLES[rows].columns.map(({ name, type }) => [name, DUCKDB_TYPES[type]]));
    const found = reader.getRowObjectsJS().map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, comparable(value)])));
    expect(found.length).toBeGreaterThan(0);
    expect(found).toEqual(wanted);
  });

  it('says in its metadata which rows it has, of which sweep, by which schema', async () => {
    const file = await parquetFile(await sweepSource(store, sweep), 'cells');
    const reader = await duckdb.runAndReadAll(`SELECT decode(key) AS key, decode(value) AS value FROM parquet_kv_metadata('${file}')`);
    expect(Object.fromEntries(reader.getRowsJS() as [string, string][])).toEqual({ 'ropesweep.rows': 'cells', 'ropesweep.schemaVersion': String(EXPORT_SCHEMA_VERSION), 'ropesweep.sweep': 'mixed' });
  });

  it('keeps every double, and the nulls of columns that have no value at all', async () => {
    const values = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3];
    const rows = oneArm({ contexts: [64], depths: [1 / 3], seeds: [1], change: (cell) => (cell.needle === null ? cell : { ...cell, needle: { ...cell.needle, nll: values, entropy: null } }) });
    const file = await parquetFile(sourceOf(rows), 'cells');
    const [row] = (await duckdb.runAndReadAll(`SELECT nll, depth, entropy, document, answers FROM '${file}'`)).getRowObjectsJS();
    expect(row).toEqual({ nll: values, depth: 1 / 3, entropy: null, document: null, answers: null });
  });

  it('of no cells is a file with the columns and no rows', async () => {
    const file = await parquetFile(sourceOf(noCells()), 'cells');
    const reader = await duckdb.runAndReadAll(`SELECT * FROM '${file}'`);
    expect([reader.columnNames(), reader.currentRowCount]).toEqual([TABLES.cells.columns.map(({ name }) => name), 0]);
  });

  it('comes in row groups, so that its rows need not fit into memory', async () => {
    const rows = oneArm({ contexts: [64], depths: [0], seeds: [1] });
    const [cell] = rows.cells;
    if (cell === undefined) throw new Error('the fixture has a cell');
    const pages = 45;
    let taken = 0;
    const source: SweepSource = {
      ...sourceOf(rows),
      // eslint-disable-next-line @typescript-eslint/require-await
      async *cells() {
        for (taken = 0; taken < pages; taken += 1) yield Array.from({ length: 1000 }, () => cell);
      },
    };
    const pieces = exported(source, { rows: 'cells', format: 'parquet', resultsOnly: true, version: '0' });
    const first = await pieces.next();
    expect(first.done).toBe(false);
    expect(taken).toBeLessThan(pages);
    const rest: Uint8Array[] = [first.value as Uint8Array];
    for await (const piece of pieces) rest.push(piece as Uint8Array);
    const file = join(folder, 'many.parquet');
    await writeFile(file, Buffer.concat(rest));
    const [found] = (await duckdb.runAndReadAll(`SELECT count(*) AS rows, count(DISTINCT key) AS keys, (SELECT count(DISTINCT row_group_id) FROM parquet_metadata('${file}')) AS groups FROM '${file}'`)).getRowObjectsJS();
    expect(found).toEqual({ rows: 45_000n, keys: 1n, groups: 3n });
    expect(rest).toHaveLength(3);
  });
});

const pandas = spawnSync('python3', ['-c', 'import pandas, pyarrow']);

describe.skipIf(pandas.status !== 0)('pandas (skipped where python3 has no pandas with pyarrow)', () => {
  it.each(ROW_KINDS)('reads %s with the same values as JSON Lines, to the last bit', async (rows) => {
    const source = await sweepSource(store, sweep);
    const wanted = await exportObjects(source, { rows });
    const file = await parquetFile(source, rows);
    // Doubles go out as hexadecimal: nothing is rounded on the way.
    const script = `
import json, sys, pandas
frame = pandas.read_parquet(sys.argv[1], dtype_backend="pyarrow")
def plain(value):
    if value is None or value is pandas.NA or value is pandas.NaT: return None
    if isinstance(value, pandas.Timestamp): return value.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (value.microsecond // 1000)
    if hasattr(value, "tolist"): value = value.tolist()
    if isinstance(value, (list, tuple)): return [plain(one) for one in value]
    return {"hex": value.hex()} if isinstance(value, float) else value
print(json.dumps([{name: plain(value) for name, value in row.items()} for row in frame.to_dict("records")]))`;
    const { stdout, stderr, status } = spawnSync('python3', ['-c', script, file], { encoding: 'utf8', maxBuffer: 2 ** 28 });
    expect(status, stderr).toBe(0);
    const unhexed = JSON.parse(stdout, (_, value: unknown) => (typeof value === 'object' && value !== null && 'hex' in value ? fromHex(String(value.hex)) : value)) as unknown;
    expect(unhexed).toEqual(wanted);
  });
});

/** A double as Python's float.hex prints it. */
function fromHex(text: string): number {
  const [, sign, lead, fraction = '', exponent] = /^(-?)0x([01])(?:\.([0-9a-f]+))?p([+-]\d+)$/.exec(text) ?? [];
  const mantissa = Number.parseInt(`${lead ?? ''}${fraction.padEnd(13, '0')}`, 16);
  return (sign === '-' ? -1 : 1) * mantissa * 2 ** -52 * 2 ** Math.max(-1022, Number(exponent));
}

describe('an export of the store', () => {
  it('is ordered by arm, task, context length, axes and key, in whatever order the plan had its cells', async () => {
    const rows = await exportObjects(await sweepSource(store, sweep));
    const order = rows.map(({ arm, task, contextTokens, depth, seed, document, key }) => [arm === 'none' ? 0 : 1, task, contextTokens, depth ?? -1, seed ?? -1, document ?? '', key] as (string | number)[]);
    const sorted = [...order].sort((a, b) => {
      const at = a.findIndex((value, index) => value !== b[index]);
      const [one, other] = [a[at] ?? 0, b[at] ?? 0];
      return one < other ? -1 : 1;
    });
    expect(order).toEqual(sorted);
    expect(new Set(rows.map(({ taskKind }) => taskKind))).toEqual(new Set(['needle', 'perplexity', 'attention']));
  });

  it('has one row an attention cell and axis, and the divergences that the task names', async () => {
    const source = await sweepSource(store, sweep);
    const attention = await exportObjects(source, { rows: 'attention' });
    expect(attention.map(({ method, contextTokens, axis, bins }) => [method, contextTokens, axis, bins])).toEqual(
      ['none', 'pi'].flatMap((method) => [256, 512].flatMap((length) => ['fraction', 'distance'].map((axis) => [method, length, axis, 129]))),
    );
    const divergences = await exportObjects(source, { rows: 'divergences' });
    expect(divergences).toHaveLength(8);
    expect(divergences[0]).toMatchObject({ method: 'none', contextTokens: 256, referenceArm: 'none', referenceContextTokens: 256, meanOfHeads: 0, ofMean: 0 });
    expect(divergences.at(-1)?.['ofMean']).toBeGreaterThan(0);
  });

  it('has every head in long form, which sum to the mean', async () => {
    const source = await sweepSource(store, sweep);
    const [cell] = await exportObjects(source, { rows: 'attention' });
    const heads = (await exportObjects(source, { rows: 'heads' })).filter(({ key, axis }) => key === cell?.['key'] && axis === cell?.['axis']);
    expect(heads).toHaveLength(2 * 2 * 129);
    const means = Array.from({ length: 129 }, (_, bin) => heads.filter((row) => row['bin'] === bin).reduce((sum, { mass }) => sum + Number(mass), 0) / 4);
    for (const [bin, mass] of (cell?.['mean'] as number[]).entries()) expect(means[bin]).toBeCloseTo(mass, 6);
  });

  it('prints other kinds of rows as CSV too', async () => {
    const lines = (await exportText(await sweepSource(store, sweep), { rows: 'divergences', resultsOnly: true })).trimEnd().split('\n');
    expect(lines[0]).toBe(TABLES.divergences.columns.filter(({ kind }) => kind === 'result').map(({ name }) => name).join(','));
    expect(lines).toHaveLength(9);
  });
});
