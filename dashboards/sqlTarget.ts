/**
 * Queries of panels. The SDK has no builder for SQL; these are the fields that Grafana's PostgreSQL data source reads.
 */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';

/** Plugin id of the data source. */
export const DATA_SOURCE_TYPE = 'grafana-postgresql-datasource';
/** The data source that dashboards/generated/provisioning provisions; alerts name it, dashboards have it as their default. */
export const DATA_SOURCE_UID = 'ropesweep';
/** What panels and variables name: the dashboard's variable, so that one dashboard serves several stores. */
export const DATA_SOURCE = { type: DATA_SOURCE_TYPE, uid: '${datasource}' } as const;

/** table: rows as they come. time_series: columns time, metric, value; a series a metric. */
export type SqlFormat = 'table' | 'time_series';

export interface SqlTarget extends Dataquery {
  readonly refId: string;
  readonly datasource: typeof DATA_SOURCE;
  readonly format: SqlFormat;
  readonly rawQuery: true;
  readonly editorMode: 'code';
  readonly rawSql: string;
}

export function sqlTarget(refId: string, rawSql: string, format: SqlFormat = 'table'): Builder<SqlTarget> {
  return {
    build: () => ({
      refId,
      datasource: DATA_SOURCE,
      format,
      rawQuery: true,
      editorMode: 'code',
      rawSql,
      _implementsDataqueryVariant: () => undefined,
    }),
  };
}

/** A variable of the dashboard in SQL: its value as a literal, several as a list, quotes doubled by Grafana. There is no other way to write one. */
export const quoted = (variable: string): string => `\${${variable}:sqlstring}`;
