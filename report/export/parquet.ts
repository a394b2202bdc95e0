/** Rows as Apache Parquet: row group by row group, Snappy, every column optional, lists as three-level lists. */
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import type { ColumnWords, Value, ValueType } from './column.js';
import type { Rows } from './table.js';

/** A row group ends with so many rows, or sooner where its values fill about so many bytes. */
const GROUP = { rows: 20_000, bytes: 32 * 2 ** 20 };

const ELEMENTS: Readonly<Record<'string' | 'int64' | 'double' | 'boolean' | 'timestamp', Omit<SchemaElement, 'name'>>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  int64: { type: 'INT64' },
  double: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
  timestamp: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' } },
};

function schemaOf({ name, type }: ColumnWords): SchemaElement[] {
  switch (type) {
    case 'string[]':
    case 'int64[]':
    case 'double[]':
      return [
        { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'OPTIONAL', ...ELEMENTS[type.slice(0, -2) as 'string' | 'int64' | 'double'] },
      ];
    default:
      return [{ name, repetition_type: 'OPTIONAL', ...ELEMENTS[type] }];
  }
}

/** As the writer takes it: int64 as bigint, times as Date. */
function stored(value: Value, type: ValueType): unknown {
  if (value === null) return null;
  switch (type) {
    case 'int64':
      return BigInt(value as number);
    case 'int64[]':
      return (value as readonly number[]).map(BigInt);
    case 'timestamp':
      return new Date(value as string);
    default:
      return value;
  }
}

const bytesOf = (value: Value): number => (typeof value === 'string' ? value.length : Array.isArray(value) ? 8 * value.length : 8);

/**
 * The bytes of a file in pieces, one a row group; only one group of rows is held in memory.
 *
 * @param metadata key-value metadata of the file
 */
export async function* parquet(columns: readonly ColumnWords[], pages: AsyncIterable<Rows>, metadata: Readonly<Record<string, string>>, createdBy: string): AsyncGenerator<Uint8Array> {
  const bytes = new ByteWriter();
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [{ name: 'schema', num_children: columns.length }, ...columns.flatMap(schemaOf)],
    kvMetadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    createdBy,
  });
  const taken = (): Uint8Array => {
    const piece = bytes.getBytes().slice();
    bytes.index = 0;
    return piece;
  };
  let group: (readonly Value[])[] = [];
  let weight = 0;
  const write = async (): Promise<void> => {
    const columnData = columns.map(({ name, type }, at) => ({ name, data: group.map((row) => stored(row[at] ?? null, type)) }));
    await writer.write({ columnData, rowGroupSize: group.length });
    group = [];
    weight = 0;
  };
  for await (const page of pages) {
    for (const row of page) {
      group.push(row);
      weight += row.reduce((sum: number, value) => sum + bytesOf(value), 0);
      if (group.length < GROUP.rows && weight < GROUP.bytes) continue;
      await write();
      yield taken();
    }
  }
  if (group.length > 0) await write();
  await writer.finish();
  yield taken();
}
