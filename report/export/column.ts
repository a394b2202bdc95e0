/** What a column of an export is: its name and meaning for people, its type for every format, and its value. */

/** Types as DuckDB and pandas know them; CSV and JSON Lines print `timestamp` in ISO 8601, UTC. */
export const VALUE_TYPES = ['string', 'int64', 'double', 'boolean', 'timestamp', 'string[]', 'int64[]', 'double[]'] as const;
export type ValueType = (typeof VALUE_TYPES)[number];

/** null is "none". A timestamp is its ISO 8601 text. */
export type Value = string | number | boolean | null | readonly (number | string)[];

/** What there is to know of a column without rows. */
export interface ColumnWords {
  readonly name: string;
  readonly type: ValueType;
  /** Empty where the value has none. */
  readonly unit: string;
  readonly meaning: string;
  /**
   * `result`: the same for every run that measured the same cells. `circumstance`: which run, when, where, how it went
   * wrong; left out of results-only exports.
   */
  readonly kind: 'result' | 'circumstance';
}

export interface Column<Row> extends ColumnWords {
  readonly value: (row: Row) => Value;
}

/** A column of results. @param typeAndUnit `double`, or `double, nats` */
export function result<Row>(name: string, typeAndUnit: string, meaning: string, value: Column<Row>['value']): Column<Row> {
  return { name, ...typed(typeAndUnit), meaning, kind: 'result', value };
}

/** A column of circumstances. */
export function circumstance<Row>(name: string, typeAndUnit: string, meaning: string, value: Column<Row>['value']): Column<Row> {
  return { name, ...typed(typeAndUnit), meaning, kind: 'circumstance', value };
}

function typed(text: string): { type: ValueType; unit: string } {
  const [name, unit = ''] = text.split(', ');
  const type = VALUE_TYPES.find((known) => known === name);
  if (type === undefined) throw new TypeError(`${text} is no type of a column`);
  return { type, unit };
}
