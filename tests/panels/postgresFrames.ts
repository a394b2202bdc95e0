/**
 * Rows of a query as Grafana's PostgreSQL data source hands them to the front end: a field a column, typed by the column; no
 * field at all where there is no row; as a time series wide, a field a metric.
 */
import type pg from 'pg';

export type FieldType = 'number' | 'string' | 'time' | 'boolean' | 'other';

export interface ResultField {
  readonly name: string;
  readonly type: FieldType;
  /** Times in milliseconds since the epoch. */
  readonly values: readonly unknown[];
}

export interface ResultFrame {
  readonly refId: string;
  readonly fields: readonly ResultField[];
}

/** By OID; whatever else there is comes as text. */
const TYPES: ReadonlyMap<number, FieldType> = new Map([
  ...[20, 21, 23, 700, 701, 1700].map((oid) => [oid, 'number'] as const),
  [16, 'boolean'],
  ...[1082, 1114, 1184].map((oid) => [oid, 'time'] as const),
  ...[114, 3802].map((oid) => [oid, 'other'] as const),
]);

const valueOf = (type: FieldType, value: unknown): unknown => {
  if (value === null) return null;
  if (type === 'number') return Number(value);
  if (type === 'time') return (value as Date).getTime();
  return type === 'string' && typeof value !== 'string' ? JSON.stringify(value) : value;
};

/**
 * @param result of a query with `rowMode: 'array'`
 * @throws where Grafana would show an error instead of a panel: a time series without times, out of order, or with times that are null
 */
export function postgresFrame(refId: string, format: string, { fields, rows }: pg.QueryArrayResult<unknown[]>): ResultFrame {
  if (rows.length === 0) return { refId, fields: [] };
  const columns = fields.map(({ name, dataTypeID }, place): ResultField => {
    const type = TYPES.get(dataTypeID) ?? 'string';
    const values = rows.map((row) => valueOf(type, row[place]));
    // Seconds since the epoch.
    if (name === 'time' && type === 'number') return { name, type: 'time', values: values.map((value) => (value === null ? null : (value as number) * 1000)) };
    return { name, type, values };
  });
  return { refId, fields: format === 'time_series' ? wide(columns) : columns };
}

function wide(columns: readonly ResultField[]): ResultField[] {
  const time = columns.find(({ name }) => name === 'time');
  const metric = columns.find(({ name }) => name === 'metric');
  const [value, ...more] = columns.filter((column) => column !== time && column !== metric);
  if (time === undefined || metric === undefined || value === undefined || more.length > 0) throw new Error('a time series has the columns time, metric and value');
  const times = time.values as (number | null)[];
  if (times.includes(null)) throw new Error('a time of the time series is null');
  const numbers = times as number[];
  if (numbers.some((one, place) => one < (numbers[place - 1] ?? -Infinity))) throw new Error('the time series is not in the order of its times');
  const names = [...new Set(metric.values as string[])].sort();
  const all = [...new Set(numbers)];
  return [
    { name: 'Time', type: 'time', values: all },
    ...names.map((name): ResultField => {
      const ofMetric = new Map(numbers.flatMap((at, row) => (metric.values[row] === name ? [[at, value.values[row] ?? null] as const] : [])));
      return { name, type: 'number', values: all.map((at) => ofMetric.get(at) ?? null) };
    }),
  ];
}
