/**
 * Queries of panels. The SDK has no builder for SQL; these are the fields that Grafana's PostgreSQL data source reads.
 */
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';

/** The data source that infra/provisioning/grafana/datasources provisions. */
export const DATA_SOURCE = { type: 'grafana-postgresql-datasource', uid: 'ropesweep' } as const;

export interface SqlTarget extends Dataquery {
  readonly refId: string;
  readonly datasource: typeof DATA_SOURCE;
  readonly format: 'table';
  readonly rawQuery: true;
  readonly editorMode: 'code';
  readonly rawSql: string;
}

export function sqlTarget(refId: string, rawSql: string): Builder<SqlTarget> {
  return {
    build: () => ({
      refId,
      datasource: DATA_SOURCE,
      format: 'table',
      rawQuery: true,
      editorMode: 'code',
      rawSql,
      _implementsDataqueryVariant: () => undefined,
    }),
  };
}
