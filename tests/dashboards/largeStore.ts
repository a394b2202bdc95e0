/**
 * A store of many cells, made by SQL: numbers are made up, their shape and their number are not. Memberships are inserted as a
 * submission inserts them, so triggers count them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import pg from 'pg';
import { startPostgres } from '../../infra/embedded/postgres.js';
import { migrate } from '../../results/migrate.js';

/** Cells of the sweep at so many seeds: arms x lengths x depths. */
export const CELLS_A_SEED = 20 * 10 * 25;

/** The sweep with most cells, and the other sweeps beside it. */
export const LARGE_SWEEP = 'large';
const OTHER_SWEEPS = 200;

/** A PostgreSQL with such a store, for as long as the work takes; it says on standard error what it is filling. */
export async function withLargeStore<Result>(cells: number, work: (databaseUrl: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'ropesweep-large-'));
  const server = await startPostgres({ folder: join(folder, 'postgres'), port: await getPort(), logFile: join(folder, 'postgres.log'), durable: false, onSpawn: () => undefined });
  try {
    await migrate(server.url);
    const owner = new pg.Client({ connectionString: server.url });
    await owner.connect();
    await fillLargeStore(owner, cells, (line) => console.error(line)).finally(() => owner.end());
    return await work(server.url);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param cells of needle tasks; a multiple of {@link CELLS_A_SEED} */
export async function fillLargeStore(owner: pg.Client, cells: number, log: (line: string) => void = () => undefined): Promise<void> {
  const seeds = cells / CELLS_A_SEED;
  if (!Number.isInteger(seeds)) throw new Error(`${cells} cells are no multiple of ${CELLS_A_SEED}`);
  const step = async (what: string, sql: string): Promise<void> => {
    const start = Date.now();
    await owner.query(sql);
    log(`${what}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
  };
  await owner.query('SET synchronous_commit = off');
  await step('sweeps', `
    INSERT INTO sweeps (id, state, revision, concurrency, priority, created_at, updated_at)
    SELECT CASE WHEN n = 0 THEN '${LARGE_SWEEP}' ELSE 'other-' || n END, (CASE WHEN n % 50 = 0 THEN 'running' ELSE 'done' END)::sweep_state, 1, 16, 3,
           now() - interval '8 days', now() - n * interval '1 hour'
    FROM generate_series(0, ${OTHER_SWEEPS}) AS n;
    INSERT INTO revisions (sweep_id, number, spec, plan_digest, tasks, excluded, device_class, dtype, engine_version, numerics_version, mix_fingerprints,
      total_cells, new_cells, cached_cells, failed_cells, infeasible_cells, excluded_cells, prompt_tokens, distinct_tokens, flops, kv_bytes)
    SELECT id, 1, '{}', 'plan', t.tasks, '[]', 'cpu', 'f32', 'engine', 1, 'perArm', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM sweeps, (
      -- As large as a real one: the haystack stands in the task.
      SELECT jsonb_build_array(
        jsonb_build_object('kind', 'needle', 'criterion', 'exactMatch', 'haystack', jsonb_build_object('kind', 'markov', 'successors', (SELECT jsonb_agg(n) FROM generate_series(1, 4000) AS n)),
          'needle', '{"kind": "symbols"}'::jsonb, 'template', '{"kind": "ids"}'::jsonb, 'snap', 'token', 'generateTokens', 0, 'localTokens', 64),
        jsonb_build_object('kind', 'perplexity', 'windows', '{"kind": "first"}'::jsonb, 'contextTokens', '[512, 1024, 2048, 4096, 8192, 16384]'::jsonb, 'lastTokens', 256, 'buckets', NULL,
          'documents', (SELECT jsonb_agg(jsonb_build_object('id', 'document-' || d, 'name', 'made up, ' || d, 'headIds', '[]'::jsonb)) FROM generate_series(1, 4) AS d)),
        jsonb_build_object('kind', 'attention', 'rows', 64, 'axes', '["fraction", "distance", "index"]'::jsonb, 'documents', (SELECT jsonb_agg(d) FROM generate_series(1, 10) AS d),
          'references', '[{"method": "yarn 0", "continualPretrainContextTokens": 16384, "contextTokens": 4096}]'::jsonb)) AS tasks
    ) AS t;
    INSERT INTO arms (sweep_id, arm_id, ordinal, label, model, method, method_label, weights_id, checkpoint_folder, original_context_tokens,
      continual_pretrain_context_tokens, effective_scale, logit_scale, tables)
    SELECT s.id, 'arm-' || lpad(a::text, 2, '0'), a, 'yarn ' || a, 'model', '{"name": "yarn"}', 'yarn ' || a, 'weights-' || a, '/models/yarn-' || a, 4096,
           CASE WHEN a % 2 = 0 THEN 16384 END, a, 1, '{"*": {}}'
    FROM sweeps s, generate_series(0, 19) AS a`);
  await step('measurements', `
    CREATE TEMPORARY TABLE made AS
    SELECT encode(sha256((a || '/' || l || '/' || d || '/' || s)::bytea), 'hex') AS key, 'arm-' || lpad(a::text, 2, '0') AS arm, 1024 << l AS context,
           d / 24.0::float8 AS depth, s AS seed, (hashint4(a * 7919 + l * 104729 + d * 1299709 + s) & 65535) / 65536.0 AS draw,
           row_number() OVER (ORDER BY a, l, d, s) AS nth
    FROM generate_series(0, 19) AS a, generate_series(0, 9) AS l, generate_series(0, 24) AS d, generate_series(1, ${seeds}) AS s;
    ALTER TABLE made ADD COLUMN state text, ADD COLUMN shard text;
    UPDATE made SET shard = 'shard-' || lpad((nth / 200)::text, 6, '0'),
      state = CASE WHEN nth / 200 % 250 = 0 THEN 'planned' WHEN draw < 0.005 THEN 'failed' WHEN draw < 0.01 THEN 'infeasible' WHEN draw < 0.015 THEN 'diverged' ELSE 'measured' END;
    ANALYZE made;
    INSERT INTO measurements (cell_key, task_kind, state, weights_id, table_digest, context_tokens, token_digest, numerics_version, scorer_version, worker,
      fingerprint, engine_version, device_class, seconds, measured_at)
    SELECT key, 'needle', state::measurement_state, 'weights', 'table', context, 'tokens', 1, 1, 'host/' || nth % 64, 'CPU', 'engine', 'cpu', 1, now() - draw * interval '7 days'
    FROM made WHERE state IN ('measured', 'diverged')`);
  await step('numbers of needle cells', `
    INSERT INTO needle_results (cell_key, depth, seed, exact_match, token_recall, answers, answer_ids, top1_ids, generated_ids, nll, sum_nll, token_count, margins,
      entropy_first, entropy, entropy_teacher_forced, entropy_of_mean, entropy_normalized, max_probability, sink_mass, sink_mass_4, local_mass, local_tokens, needle_mass,
      needle_lift, retrieval_score, layers, head_count, needle_start, needle_tokens)
    SELECT key, depth, seed, draw > 0.3, CASE WHEN draw > 0.3 THEN 1 ELSE 0.25 END, '{}', '{1,2,3,4}', '{1,2,3,4}', '{1,2,3,4}', '{0.1,0.1,0.1,0.1}', 0.4, 4, '{1,1,1,1}',
           3 + draw, 3.1 + draw, 3 + draw, 4, 0.4, 0.5, 0.3, 0.4, 0.2, 64, draw / 3, 10, 0.1, 30, 9, 100, 8
    FROM made WHERE state = 'measured'`);
  await step('shards and attempts', `
    INSERT INTO shards (id, sweep_id, revision, arm_id, task, ordinal, state, lease, leased_by, leased_at, attempts, cost_prompt_tokens, cost_distinct_tokens, cost_flops,
      cost_kv_bytes, prompt_tokens, distinct_tokens, computed_tokens, loads, load_seconds, run_seconds, created_at, ended_at, device_class)
    SELECT shard, '${LARGE_SWEEP}', 1, min(arm), 0, row_number() OVER (ORDER BY shard), CASE WHEN bool_or(state <> 'planned') THEN 'done' WHEN min(nth) / 50000 % 2 = 0 THEN 'leased' ELSE 'planned' END::shard_state,
           1, 'host/' || min(nth) % 64, now() - min(draw) * interval '7 days', 1, sum(context), sum(context), sum(context::float8 * context), 1, sum(context), sum(context), sum(context), 1, 1, 50,
           now() - interval '8 days', CASE WHEN bool_or(state <> 'planned') THEN now() - min(draw) * interval '7 days' + interval '1 minute' END, 'cpu'
    FROM made GROUP BY shard;
    INSERT INTO shard_attempts (shard_id, lease, worker, device_class, leased_at, ended_at, code, reason)
    SELECT id, n, leased_by, 'cpu', leased_at - (1 - n) * interval '1 hour', ended_at, CASE WHEN n = 0 THEN 'SLOT_CRASHED' END, CASE WHEN n = 0 THEN 'it crashed' END
    FROM shards, generate_series(0, 1) AS n WHERE n = 1 OR hashtext(id) % 10 = 0;
    INSERT INTO outcomes (cell_key, device_class, engine_version, state, code, reason, attempts, at)
    SELECT key, 'cpu', 'engine', state::outcome_state, CASE WHEN state = 'failed' THEN 'SLOT_CRASHED' ELSE 'OUT_OF_MEMORY' END, 'it crashed', 3, now() - draw * interval '400 days'
    FROM made WHERE state IN ('failed', 'infeasible')`);
  await step('memberships, counted by triggers', `
    INSERT INTO memberships (sweep_id, cell_key, arm_id, revision, last_revision, task, task_kind, context_tokens, depth, seed, ordinal, state, shard_id)
    SELECT '${LARGE_SWEEP}', key, arm, 1, 1, 0, 'needle', context, depth, seed, nth, state::cell_state, shard FROM made ORDER BY nth`);
  await step('memberships of the other sweeps', `
    INSERT INTO memberships (sweep_id, cell_key, arm_id, revision, last_revision, task, task_kind, context_tokens, depth, seed, ordinal, state, shard_id)
    SELECT s.id, m.key, m.arm, 1, 1, 0, 'needle', m.context, m.depth, m.seed, m.nth, m.state::cell_state, NULL
    FROM sweeps s, (SELECT * FROM made WHERE seed = 1 AND state = 'measured' AND draw > 0.98) AS m WHERE s.id <> '${LARGE_SWEEP}'`);
  // Perplexity of 4 documents of 16k tokens and attention at 6 lengths, of each arm.
  await step('perplexity and attention', `
    CREATE TEMPORARY TABLE others AS
    SELECT 'perplexity-' || a || '-' || d AS key, 'arm-' || lpad(a::text, 2, '0') AS arm, 1 AS task, 'perplexity' AS kind, 16384 AS context, 'document-' || d AS document
    FROM generate_series(0, 19) AS a, generate_series(1, 4) AS d
    UNION ALL
    SELECT 'attention-' || a || '-' || l, 'arm-' || lpad(a::text, 2, '0'), 2, 'attention', 1024 << l, NULL FROM generate_series(0, 19) AS a, generate_series(0, 5) AS l;
    INSERT INTO measurements (cell_key, task_kind, state, weights_id, table_digest, context_tokens, token_digest, numerics_version, scorer_version, worker, fingerprint, engine_version, device_class, seconds)
    SELECT key, kind::task_kind, 'measured', 'weights', 'table', context, 'tokens', 1, 1, 'host/1', 'CPU', 'engine', 'cpu', 1 FROM others;
    INSERT INTO perplexity_results (cell_key, document, nll, token_bytes, window_tokens, window_starts, sum_nll, token_count, byte_count)
    SELECT key, document, (SELECT array_agg(2 + sin(n))::real[] FROM generate_series(1, 16383) AS n), (SELECT array_agg(4)::smallint[] FROM generate_series(1, 16383) AS n), 16384, '{0}', 32768, 16383, 65532
    FROM others WHERE kind = 'perplexity';
    INSERT INTO attention_results (cell_key, layers, head_count, documents, rows, entropy, entropy_normalized, sink_mass)
    SELECT key, 30, 9, 10, 64, ln(context) / 2, 0.5, 0.3 FROM others WHERE kind = 'attention';
    INSERT INTO attention_distributions (cell_key, axis, mean, heads_p10, heads_p90)
    SELECT key, axis::key_axis, ARRAY(SELECT 1.0 / bins FROM generate_series(1, bins)), ARRAY(SELECT 0.5 / bins FROM generate_series(1, bins)), ARRAY(SELECT 2.0 / bins FROM generate_series(1, bins))
    FROM others, LATERAL (VALUES ('fraction', 129), ('distance', 64), ('index', context)) AS axes(axis, bins) WHERE kind = 'attention';
    INSERT INTO attention_divergences (cell_key, reference_key, axis, mean_of_heads, of_mean)
    SELECT o.key, 'attention-0-2', axis::key_axis, 0.1, 0.05 FROM others o, unnest(ARRAY['fraction', 'distance']) AS axis WHERE kind = 'attention';
    INSERT INTO memberships (sweep_id, cell_key, arm_id, revision, last_revision, task, task_kind, context_tokens, document, ordinal, state)
    SELECT '${LARGE_SWEEP}', key, arm, 1, 1, task, kind::task_kind, context, document, row_number() OVER () + ${cells}, 'measured' FROM others;
    INSERT INTO retrieval_heads (arm_id, layers, head_count, cells, totals)
    SELECT DISTINCT arm, 30, 9, 50000, ARRAY(SELECT n * 10.0 FROM generate_series(1, 270) AS n) FROM others`);
  await step('samples and workers', `
    INSERT INTO progress_minutes (sweep_id, minute, cells, tokens)
    SELECT '${LARGE_SWEEP}', date_trunc('minute', now()) - n * interval '1 minute', 100, 1000000 FROM generate_series(0, 10080) AS n;
    INSERT INTO queue_samples (queue, kind, sampled_at, backlog, backlog_age_seconds, added_per_second, dispatched_per_second, pollers)
    SELECT 'ropesweep-' || q, 'activity', now() - n * interval '30 seconds', q, q, 1, 1, 2 FROM generate_series(1, 5) AS q, generate_series(0, 20160) AS n;
    INSERT INTO workers (id, host, pid, device_class, slots, fingerprint, self_test, loaded, memory_bytes, heartbeat_at)
    SELECT 'host/' || n, 'host', n, 'cpu', 8, 'CPU', 'passed', ARRAY['weights-' || n % 20], 64 * 2::bigint ^ 30, now() - n % 10 * interval '1 second' FROM generate_series(0, 63) AS n;
    DROP TABLE made, others`);
  await step('vacuum', 'VACUUM ANALYZE');
}
