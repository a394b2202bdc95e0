/**
 * A witness in the database itself: triggers that note every lease, every end of one and every change to a measurement, so
 * that a run is judged by what happened and not by what was left.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { POSTGRES_DATABASE, POSTGRES_USER } from '../../infra/embedded/postgresData.js';

/** An attempt at a shard: from its lease until its worker gave it back, if it did. Times in ms since the epoch. */
export interface Attempt {
  readonly shard: string;
  readonly lease: number;
  /** HOST/PID. */
  readonly worker: string;
  readonly leasedAt: number;
  readonly end: { readonly at: number; readonly state: string } | null;
  /** When cells were recorded under this lease, in order. */
  readonly recordedAt: readonly number[];
}

export interface Testimony {
  /** By shard, in the order of their leases. */
  readonly attempts: readonly Attempt[];
  /** When each cell was recorded, in order. */
  readonly recordedAt: readonly number[];
  /** Measurements that were changed or removed after they were written. */
  readonly rewritten: number;
  /** Measurements whose writer did not hold the lease when it wrote. */
  readonly staleWrites: number;
  readonly leasedShards: number;
  /** Sweeps and arms whose counters differ from a count. */
  readonly wrongCounters: number;
}

const INSTALL = `
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE TABLE IF NOT EXISTS chaos.leases (shard text, lease int, worker text, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS chaos.ends (shard text, lease int, state text, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS chaos.rewrites (cell_key text);
CREATE OR REPLACE FUNCTION chaos.note_shard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'leased' AND NEW.lease > OLD.lease THEN INSERT INTO chaos.leases VALUES (NEW.id, NEW.lease, NEW.leased_by); END IF;
  IF OLD.state = 'leased' AND NEW.state <> 'leased' THEN INSERT INTO chaos.ends VALUES (OLD.id, OLD.lease, NEW.state); END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION chaos.note_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO chaos.rewrites VALUES (OLD.cell_key);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chaos_shard AFTER UPDATE ON shards FOR EACH ROW EXECUTE FUNCTION chaos.note_shard();
CREATE OR REPLACE TRIGGER chaos_rewrite AFTER UPDATE OR DELETE ON measurements FOR EACH ROW EXECUTE FUNCTION chaos.note_rewrite();
`;

/** Address of the embedded PostgreSQL of a home that runs now. */
export function databaseUrlOf(home: string): string {
  const password = readFileSync(join(home, 'postgres', 'password'), 'utf8').trim();
  // Line 4 of PostgreSQL's own pid file is its port.
  const port = readFileSync(join(home, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[3] ?? '';
  return `postgresql://${POSTGRES_USER}:${password}@127.0.0.1:${port}/${POSTGRES_DATABASE}`;
}

/** @throws where the server is away or its tables are not made yet; installing twice is installing once. */
export const installWitness = (url: string): Promise<void> =>
  withClient(url, async (client) => {
    await client.query(INSTALL);
  });

export const testimony = (url: string): Promise<Testimony> =>
  withClient(url, async (client) => {
    const rows = async <Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> => (await client.query<Row>(sql)).rows;
    const count = async (sql: string): Promise<number> => (await rows<{ n: number }>(`SELECT count(*)::int AS n ${sql}`))[0]?.n ?? 0;
    const leases = await rows<{ shard: string; lease: number; worker: string; at: Date; ended: Date | null; state: string | null; recorded: Date[] }>(`
      SELECT l.shard, l.lease, l.worker, l.at, e.at AS ended, e.state, ARRAY(
        SELECT x.measured_at FROM memberships m JOIN measurements x USING (cell_key)
        WHERE m.shard_id = l.shard AND x.measured_at >= l.at AND x.measured_at < coalesce(l.next, 'infinity') ORDER BY x.measured_at) AS recorded
      FROM (SELECT *, lead(at) OVER (PARTITION BY shard ORDER BY lease) AS next FROM chaos.leases) l
      LEFT JOIN chaos.ends e USING (shard, lease) ORDER BY l.shard, l.lease`);
    const recorded = await rows<{ at: Date }>('SELECT measured_at AS at FROM measurements ORDER BY 1');
    return {
      attempts: leases.map(({ shard, lease, worker, at, ended, state, recorded: cells }) => ({
        shard,
        lease,
        worker,
        leasedAt: at.getTime(),
        end: ended === null ? null : { at: ended.getTime(), state: state ?? '' },
        recordedAt: cells.map((time) => time.getTime()),
      })),
      recordedAt: recorded.map(({ at }) => at.getTime()),
      rewritten: await count('FROM chaos.rewrites'),
      // measured_at is in ms and is the begin of its transaction, so a lease of the same moment may seem younger.
      staleWrites: await count(`
        FROM measurements x JOIN memberships m USING (cell_key)
        WHERE x.worker IS DISTINCT FROM (
          SELECT l.worker FROM chaos.leases l WHERE l.shard = m.shard_id AND l.at <= x.measured_at + interval '1 ms' ORDER BY l.lease DESC LIMIT 1)`),
      leasedShards: await count(`FROM shards WHERE state = 'leased'`),
      wrongCounters: await count(`
        FROM sweep_progress p JOIN (
          SELECT sweep_id, count(*) FILTER (WHERE state = 'measured') AS measured, count(*) FILTER (WHERE state = 'planned') AS planned
          FROM memberships GROUP BY sweep_id) c USING (sweep_id)
        WHERE p.measured <> c.measured OR p.planned <> c.planned`) + await count(`
        FROM shard_totals t FULL JOIN (
          SELECT sweep_id, arm_id, device_class, s.state, count(*) AS shards, sum(cost_prompt_tokens) AS tokens
          FROM shards h CROSS JOIN LATERAL unnest(ARRAY['planned', CASE WHEN h.state NOT IN ('planned', 'leased') THEN h.state END]::shard_state[]) AS s(state)
          WHERE s.state IS NOT NULL GROUP BY 1, 2, 3, 4) c USING (sweep_id, arm_id, device_class, state)
        WHERE coalesce(t.shards, 0) <> coalesce(c.shards, 0) OR coalesce(t.prompt_tokens, 0) <> coalesce(c.tokens, 0)`),
    };
  });

async function withClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
