/**
 * Removing what no sweep needs, while sweeps run: measurements and outcomes of cells that no sweep has, divergences of these,
 * shards that newer revisions superseded, revisions that no shard is of, arms without cells. What a submission stages ends with
 * its transaction, so nothing is ever left of it.
 */
import { Prisma } from './generated/client.js';
import type { Client, Database } from './database.js';

export interface Prunable {
  readonly what: string;
  readonly rows: number;
  /** Of the rows, about: indexes and free space of pages not counted. */
  readonly bytes: number;
}

/** Submissions take it in shared mode before they look at measurements: what they count on is not removed under them. */
const SUBMISSIONS_LOCK = 1_380_930_388;

/** Until the end of the transaction nobody prunes what it is about to make members of a sweep. */
export const holdOffPruning = (transaction: Client) => transaction.$executeRaw`SELECT pg_advisory_xact_lock_shared(${SUBMISSIONS_LOCK}::bigint)`;

interface Kind {
  readonly what: string;
  readonly table: Prisma.Sql;
  /** Of a row `t` of the table. */
  readonly unneeded: Prisma.Sql;
  /** Bytes of a row `t` with what goes along with it. */
  readonly bytes: Prisma.Sql;
}

const ownBytes = Prisma.sql`pg_column_size(t.*)`;
const noMember = Prisma.sql`NOT EXISTS (SELECT FROM memberships m WHERE m.cell_key = t.cell_key)`;

const KINDS: readonly Kind[] = [
  {
    what: 'measurements of cells that no sweep has',
    table: Prisma.sql`measurements`,
    unneeded: noMember,
    bytes: Prisma.sql`pg_column_size(t.*)
      + coalesce((SELECT pg_column_size(n.*) FROM needle_results n WHERE n.cell_key = t.cell_key), 0)
      + coalesce((SELECT pg_column_size(p.*) FROM perplexity_results p WHERE p.cell_key = t.cell_key), 0)
      + coalesce((SELECT pg_column_size(a.*) FROM attention_results a WHERE a.cell_key = t.cell_key), 0)
      + coalesce((SELECT sum(pg_column_size(d.*)) FROM attention_distributions d WHERE d.cell_key = t.cell_key), 0)`,
  },
  {
    what: 'divergences of cells that no sweep has',
    table: Prisma.sql`attention_divergences`,
    unneeded: Prisma.sql`(${noMember} OR NOT EXISTS (SELECT FROM memberships m WHERE m.cell_key = t.reference_key))`,
    bytes: ownBytes,
  },
  { what: 'outcomes of cells that no sweep has', table: Prisma.sql`outcomes`, unneeded: noMember, bytes: ownBytes },
  { what: 'superseded shards', table: Prisma.sql`shards`, unneeded: Prisma.sql`t.state = 'superseded'`, bytes: ownBytes },
  {
    what: 'old revisions that no shard is of',
    table: Prisma.sql`revisions`,
    // Those that shards are of say how these were computed.
    unneeded: Prisma.sql`t.number < (SELECT s.revision FROM sweeps s WHERE s.id = t.sweep_id)
      AND NOT EXISTS (SELECT FROM shards h WHERE h.sweep_id = t.sweep_id AND h.revision = t.number)`,
    bytes: ownBytes,
  },
  {
    what: 'arms of old revisions without cells',
    table: Prisma.sql`arms`,
    unneeded: Prisma.sql`NOT EXISTS (SELECT FROM memberships m WHERE m.sweep_id = t.sweep_id AND m.arm_id = t.arm_id)
      AND NOT EXISTS (SELECT FROM shards h WHERE h.sweep_id = t.sweep_id AND h.arm_id = t.arm_id)`,
    bytes: ownBytes,
  },
];

/** What {@link prune} would remove now. Revisions and arms that only superseded shards hold are counted once these are gone. */
export async function prunable(client: Client): Promise<Prunable[]> {
  const found: Prunable[] = [];
  for (const { what, table, unneeded, bytes } of KINDS) {
    const [row] = await client.$queryRaw<{ rows: number; bytes: number }[]>`
      SELECT count(*)::float8 AS rows, coalesce(sum(${bytes}), 0)::float8 AS bytes FROM ${table} t WHERE ${unneeded}`;
    found.push({ what, rows: row?.rows ?? 0, bytes: row?.bytes ?? 0 });
  }
  return found;
}

/**
 * Removes it, kind by kind, each in a transaction of its own that waits for submissions under way and holds off new ones.
 *
 * @returns what was removed
 */
export async function prune(database: Database): Promise<Prunable[]> {
  const removed: Prunable[] = [];
  for (const { what, table, unneeded, bytes } of KINDS) {
    const row = await database.write(async (transaction) => {
      await transaction.$executeRaw`SELECT pg_advisory_xact_lock(${SUBMISSIONS_LOCK}::bigint)`;
      const [counted] = await transaction.$queryRaw<{ rows: number; bytes: number }[]>`
        SELECT count(*)::float8 AS rows, coalesce(sum(${bytes}), 0)::float8 AS bytes FROM ${table} t WHERE ${unneeded}`;
      await transaction.$executeRaw`DELETE FROM ${table} t WHERE ${unneeded}`;
      return counted;
    });
    removed.push({ what, rows: row?.rows ?? 0, bytes: row?.bytes ?? 0 });
  }
  return removed;
}
