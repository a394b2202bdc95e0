-- What Grafana reads: views only, with stable column names. The login of Grafana may read nothing else.
-- Lengths in tokens, depth a fraction 0..1, entropies and NLL in nats, recall 0 or 1 per cell: a diverged cell retrieved
-- nothing, one without an answer has none.

CREATE SCHEMA reporting;
COMMENT ON SCHEMA reporting IS 'Views for dashboards. Stable: columns are added, never renamed or removed without notice.';

CREATE VIEW reporting.sweeps AS
SELECT s.id AS sweep,
       s.state::text AS state,
       s.revision,
       s.created_at,
       s.updated_at,
       coalesce(p.planned + p.measured + p.diverged + p.infeasible + p.failed, 0) AS total_cells,
       coalesce(p.planned, 0) AS planned_cells,
       coalesce(p.measured, 0) AS measured_cells,
       coalesce(p.diverged, 0) AS diverged_cells,
       coalesce(p.infeasible, 0) AS infeasible_cells,
       coalesce(p.failed, 0) AS failed_cells,
       r.device_class,
       r.dtype,
       r.engine_version,
       r.mix_fingerprints::text AS mix_fingerprints
FROM sweeps s
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
LEFT JOIN sweep_progress p ON p.sweep_id = s.id;
COMMENT ON VIEW reporting.sweeps IS 'One row per sweep: state, cells by state (kept by triggers), and how its current revision runs.';

CREATE VIEW reporting.arms AS
SELECT a.sweep_id AS sweep,
       a.arm_id,
       a.ordinal,
       a.label AS arm,
       a.model,
       a.method ->> 'name' AS method,
       a.method AS method_parameters,
       a.method_label,
       a.weights_id,
       a.original_context_tokens,
       a.continual_pretrain_context_tokens,
       a.effective_scale,
       a.logit_scale,
       a.fingerprint
FROM arms a;
COMMENT ON VIEW reporting.arms IS 'One row per arm (checkpoint x method) of a sweep; continual_pretrain_context_tokens is null where not continued.';

CREATE VIEW reporting.needle_cells AS
SELECT m.sweep_id AS sweep,
       m.arm_id,
       a.ordinal AS arm_ordinal,
       a.label AS arm,
       a.original_context_tokens,
       a.continual_pretrain_context_tokens,
       m.cell_key,
       m.task,
       m.context_tokens,
       m.depth,
       m.seed,
       m.state::text AS state,
       m.origin::text AS origin,
       CASE m.state WHEN 'measured' THEN n.exact_match::int WHEN 'diverged' THEN 0 END AS recall,
       coalesce(n.entropy, n.entropy_first) AS entropy_shown,
       n.entropy IS NULL AND n.entropy_first IS NOT NULL AS entropy_is_first,
       n.entropy,
       n.entropy_first,
       n.entropy_teacher_forced,
       n.entropy_normalized,
       n.max_probability,
       n.sink_mass,
       n.needle_mass,
       n.needle_lift,
       n.sum_nll,
       n.token_count,
       n.needle_start,
       n.needle_tokens,
       o.code,
       o.reason,
       x.worker,
       x.fingerprint,
       x.seconds,
       x.measured_at
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN sweeps s ON s.id = m.sweep_id
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
LEFT JOIN measurements x ON x.cell_key = m.cell_key AND m.state IN ('measured', 'diverged')
LEFT JOIN needle_results n ON n.cell_key = m.cell_key AND m.state = 'measured'
LEFT JOIN outcomes o ON m.state IN ('infeasible', 'failed')
  AND o.cell_key = m.cell_key AND o.device_class = r.device_class AND o.engine_version = r.engine_version
WHERE m.task_kind = 'needle';
COMMENT ON VIEW reporting.needle_cells IS 'One row per needle cell of a sweep. entropy_shown is entropy, or entropy_first where nothing was generated (entropy_is_first).';

CREATE VIEW reporting.needle_heatmap AS
SELECT sweep,
       arm_id,
       arm_ordinal,
       arm,
       original_context_tokens,
       continual_pretrain_context_tokens,
       task,
       context_tokens,
       depth,
       count(*) AS cells,
       count(recall) AS n,
       sum(recall) AS passed,
       avg(recall)::float8 AS recall,
       CASE WHEN bool_or(entropy_is_first) THEN avg(entropy_first) ELSE avg(entropy) END AS entropy,
       coalesce(bool_or(entropy_is_first), false) AS entropy_is_first,
       avg(sum_nll / token_count) AS nll_per_token,
       avg(needle_mass) AS needle_mass,
       count(*) FILTER (WHERE state = 'planned') AS planned,
       count(*) FILTER (WHERE state = 'diverged') AS diverged,
       count(*) FILTER (WHERE state = 'infeasible') AS infeasible,
       count(*) FILTER (WHERE state = 'failed') AS failed
FROM reporting.needle_cells
GROUP BY sweep, arm_id, arm_ordinal, arm, original_context_tokens, continual_pretrain_context_tokens, task, context_tokens, depth;
COMMENT ON VIEW reporting.needle_heatmap IS 'One row per square of a heat map: arm x task x context length x depth, over seeds. n counts cells with an answer (measured, diverged). entropy is the mean of entropy, or of entropy_first where some cell has no entropy (entropy_is_first).';

CREATE VIEW reporting.shards AS
SELECT h.sweep_id AS sweep,
       h.id AS shard,
       h.revision,
       a.label AS arm,
       a.weights_id,
       h.task,
       h.ordinal,
       h.state::text AS state,
       h.lease,
       h.attempts,
       h.leased_by AS worker,
       h.leased_at,
       h.ended_at,
       h.cost_flops,
       h.cost_prompt_tokens,
       h.cost_distinct_tokens,
       h.prompt_tokens,
       h.distinct_tokens,
       h.computed_tokens,
       h.load_seconds,
       h.run_seconds,
       h.error_code,
       h.error_reason
FROM shards h
JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id;
COMMENT ON VIEW reporting.shards IS 'One row per shard: state, lease, predicted costs (cost_*) and what was measured, summed over its attempts.';

CREATE VIEW reporting.workers AS
SELECT id AS worker, host, pid, device_class, slots, fingerprint, self_test, started_at, heartbeat_at
FROM workers;
COMMENT ON VIEW reporting.workers IS 'One row per registered worker process; one whose heartbeat_at is old is gone.';

CREATE VIEW reporting.outcomes AS
SELECT m.sweep_id AS sweep,
       a.label AS arm,
       m.cell_key,
       m.task,
       m.context_tokens,
       m.depth,
       m.seed,
       o.state::text AS state,
       o.code,
       o.reason,
       o.attempts,
       o.device_class,
       o.engine_version,
       o.at
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN sweeps s ON s.id = m.sweep_id
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
JOIN outcomes o ON o.cell_key = m.cell_key AND o.device_class = r.device_class AND o.engine_version = r.engine_version
WHERE m.state IN ('infeasible', 'failed');
COMMENT ON VIEW reporting.outcomes IS 'One row per cell of a sweep without numbers: infeasible (out of memory) or failed (quarantined), with its reason.';

-- Turns an existing login into a reader of the views: SELECT on them and nothing else, read-only transactions, short
-- statements, few connections. The privileges are the boundary (any viewer of Grafana can send any SQL); the settings
-- guard against accidents. results/grafanaRole.ts makes the login and calls this; so may an administrator in psql.
CREATE FUNCTION grant_reporting(reader text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER ROLE %I CONNECTION LIMIT 10', reader);
  EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', reader);
  EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', reader, '30s');
  EXECUTE format('ALTER ROLE %I SET search_path = reporting', reader);
  EXECUTE format('GRANT USAGE ON SCHEMA reporting TO %I', reader);
  EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO %I', reader);
  EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA reporting GRANT SELECT ON TABLES TO %I', reader);
  -- Without this every login may fill the disk with temporary tables.
  EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;
REVOKE EXECUTE ON FUNCTION grant_reporting(text) FROM PUBLIC;
