/**
 * What the store takes on disk, and what each sweep has of it.
 */
import type { SweepId } from '../domain/ids.js';
import type { Client } from './database.js';

export interface TableSize {
  readonly table: string;
  readonly rows: number;
  /** Indexes and what is stored out of line included. */
  readonly bytes: number;
}

export interface SweepSize {
  readonly sweep: SweepId;
  readonly cells: number;
  readonly shards: number;
  readonly revisions: number;
  /** Distinct measurements of its cells. */
  readonly measurements: number;
  /** Bytes of the rows of these measurements, without indexes. */
  readonly bytes: number;
  /** Measurements among them that another sweep has too. */
  readonly shared: number;
}

export interface StoreSize {
  /** Of the whole database: tables, indexes, PostgreSQL's own catalog. */
  readonly bytes: number;
  /** Largest first. */
  readonly tables: readonly TableSize[];
  /** Largest first. */
  readonly sweeps: readonly SweepSize[];
}

/** Counts rows exactly: of a million cells it takes seconds. */
export async function storeSize(client: Client): Promise<StoreSize> {
  const [database] = await client.$queryRaw<{ bytes: bigint }[]>`SELECT pg_database_size(current_database()) AS bytes`;
  const tables = await client.$queryRaw<TableSize[]>`
    SELECT c.relname::text AS table, pg_total_relation_size(c.oid)::float8 AS bytes,
           (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]::text::float8 AS rows
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> '_prisma_migrations'
    ORDER BY bytes DESC, c.relname`;
  const sweeps = await client.$queryRaw<SweepSize[]>`
    WITH measured AS (
      SELECT x.cell_key, pg_column_size(x.*) + coalesce(pg_column_size(n.*), 0) + coalesce(pg_column_size(p.*), 0)
             + coalesce(pg_column_size(a.*), 0) + coalesce((SELECT sum(pg_column_size(d.*)) FROM attention_distributions d WHERE d.cell_key = x.cell_key), 0) AS bytes
      FROM measurements x
      LEFT JOIN needle_results n USING (cell_key)
      LEFT JOIN perplexity_results p USING (cell_key)
      LEFT JOIN attention_results a USING (cell_key)
    ), held AS (
      SELECT DISTINCT m.sweep_id, m.cell_key FROM memberships m WHERE m.state IN ('measured', 'diverged')
    ), counted AS (
      SELECT h.sweep_id, x.bytes, count(*) OVER (PARTITION BY h.cell_key) > 1 AS shared FROM held h JOIN measured x USING (cell_key)
    )
    SELECT s.id AS sweep,
           (p.planned + p.measured + p.diverged + p.infeasible + p.failed)::float8 AS cells,
           (SELECT count(*) FROM shards h WHERE h.sweep_id = s.id)::float8 AS shards,
           (SELECT count(*) FROM revisions r WHERE r.sweep_id = s.id)::float8 AS revisions,
           count(c.bytes)::float8 AS measurements, coalesce(sum(c.bytes), 0)::float8 AS bytes, (count(*) FILTER (WHERE c.shared))::float8 AS shared
    FROM sweeps s
    JOIN sweep_progress p ON p.sweep_id = s.id
    LEFT JOIN counted c ON c.sweep_id = s.id
    GROUP BY s.id, p.sweep_id
    ORDER BY bytes DESC, s.id`;
  return { bytes: Number(database?.bytes ?? 0), tables, sweeps };
}
