-- What dashboards ask of a store of a million cells, made cheap: squares of the heat maps and the pace of a sweep are kept by
-- triggers, sums of losses by generated columns; queues are sampled.

CREATE TABLE needle_squares (
    sweep_id TEXT NOT NULL,
    arm_id TEXT NOT NULL,
    task INTEGER NOT NULL,
    context_tokens INTEGER NOT NULL,
    depth DOUBLE PRECISION NOT NULL,
    planned INTEGER NOT NULL DEFAULT 0,
    measured INTEGER NOT NULL DEFAULT 0,
    diverged INTEGER NOT NULL DEFAULT 0,
    infeasible INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    exact_matches INTEGER NOT NULL DEFAULT 0,
    string_matches INTEGER NOT NULL DEFAULT 0,
    entropy_cells INTEGER NOT NULL DEFAULT 0,
    token_recall DECIMAL(65,30) NOT NULL DEFAULT 0,
    string_recall DECIMAL(65,30) NOT NULL DEFAULT 0,
    entropy DECIMAL(65,30) NOT NULL DEFAULT 0,
    entropy_first DECIMAL(65,30) NOT NULL DEFAULT 0,
    entropy_first_of_exact_matches DECIMAL(65,30) NOT NULL DEFAULT 0,
    entropy_first_of_string_matches DECIMAL(65,30) NOT NULL DEFAULT 0,
    nll_per_token DECIMAL(65,30) NOT NULL DEFAULT 0,
    needle_mass DECIMAL(65,30) NOT NULL DEFAULT 0,

    CONSTRAINT needle_squares_pkey PRIMARY KEY (sweep_id, arm_id, task, context_tokens, depth),
    CONSTRAINT needle_squares_sweep_id_arm_id_fkey FOREIGN KEY (sweep_id, arm_id) REFERENCES arms (sweep_id, arm_id) ON DELETE CASCADE ON UPDATE CASCADE
) WITH (fillfactor = 50);

CREATE TABLE progress_minutes (
    sweep_id TEXT NOT NULL,
    minute TIMESTAMPTZ(3) NOT NULL,
    cells INTEGER NOT NULL,
    tokens BIGINT NOT NULL,

    CONSTRAINT progress_minutes_pkey PRIMARY KEY (sweep_id, minute),
    CONSTRAINT progress_minutes_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps (id) ON DELETE CASCADE ON UPDATE CASCADE
) WITH (fillfactor = 50);

CREATE TABLE queue_samples (
    queue TEXT NOT NULL,
    kind TEXT NOT NULL,
    sampled_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    backlog INTEGER NOT NULL,
    backlog_age_seconds DOUBLE PRECISION NOT NULL,
    added_per_second DOUBLE PRECISION NOT NULL,
    dispatched_per_second DOUBLE PRECISION NOT NULL,
    pollers INTEGER NOT NULL,

    CONSTRAINT queue_samples_pkey PRIMARY KEY (queue, kind, sampled_at)
);
CREATE INDEX queue_samples_sampled_at_idx ON queue_samples (sampled_at);
CREATE INDEX shard_attempts_ended_at_idx ON shard_attempts (ended_at);

-- Squares. Sums are decimal, so adding and taking away is exact in any order: a square without cells is gone, and a store that
-- lost some cells has the numbers of one that never had them. The row of the sweep in sweep_progress is locked before (by the
-- order of the triggers' names), so writers of one sweep come here one after the other.
--
-- Three functions that differ in which memberships changed. Numbers are looked up cell by cell whatever the size of the first
-- statement of a session was (a plan is kept for all that follow), and only of cells whose place or state changed.
DO $migration$
DECLARE
  kind record;
BEGIN
  FOR kind IN SELECT * FROM (VALUES
    ('add_needle_squares', $$SELECT sweep_id, arm_id, cell_key, task, context_tokens, depth, state, 1 AS step FROM added
    WHERE task_kind = 'needle' AND origin = 'grid'$$),
    ('move_needle_squares', $$SELECT sweep_id, arm_id, cell_key, task, context_tokens, depth, state, sum(step) AS step
    FROM (SELECT *, -1 AS step FROM before UNION ALL SELECT *, 1 FROM after) AS steps
    WHERE task_kind = 'needle' AND origin = 'grid'
    GROUP BY sweep_id, arm_id, cell_key, task, context_tokens, depth, state
    HAVING sum(step) <> 0$$),
    ('subtract_needle_squares', $$SELECT sweep_id, arm_id, cell_key, task, context_tokens, depth, state, -1 AS step FROM removed
    WHERE task_kind = 'needle' AND origin = 'grid'$$)
  ) AS kinds(name, moved) LOOP
    EXECUTE format($create$
CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  WITH moved AS MATERIALIZED (
    %s
  ), changes AS (
    SELECT c.sweep_id, c.arm_id, c.task, c.context_tokens, c.depth,
           coalesce(sum(step) FILTER (WHERE state = 'planned'), 0) AS planned,
           coalesce(sum(step) FILTER (WHERE state = 'measured'), 0) AS measured,
           coalesce(sum(step) FILTER (WHERE state = 'diverged'), 0) AS diverged,
           coalesce(sum(step) FILTER (WHERE state = 'infeasible'), 0) AS infeasible,
           coalesce(sum(step) FILTER (WHERE state = 'failed'), 0) AS failed,
           coalesce(sum(step * n.exact_match::int), 0) AS exact_matches,
           coalesce(sum(step * (n.string_recall = 1)::int), 0) AS string_matches,
           coalesce(sum(step) FILTER (WHERE n.entropy IS NOT NULL), 0) AS entropy_cells,
           coalesce(sum(step * n.token_recall::numeric), 0) AS token_recall,
           coalesce(sum(step * n.string_recall::numeric), 0) AS string_recall,
           coalesce(sum(step * n.entropy::numeric), 0) AS entropy,
           coalesce(sum(step * n.entropy_first::numeric), 0) AS entropy_first,
           coalesce(sum(step * n.entropy_first::numeric) FILTER (WHERE n.exact_match), 0) AS entropy_first_of_exact_matches,
           coalesce(sum(step * n.entropy_first::numeric) FILTER (WHERE n.string_recall = 1), 0) AS entropy_first_of_string_matches,
           coalesce(sum(step * (n.sum_nll / n.token_count)::numeric), 0) AS nll_per_token,
           coalesce(sum(step * n.needle_mass::numeric), 0) AS needle_mass
    FROM moved c
    LEFT JOIN LATERAL (SELECT * FROM needle_results r WHERE r.cell_key = c.cell_key AND c.state = 'measured' OFFSET 0) AS n ON true
    GROUP BY c.sweep_id, c.arm_id, c.task, c.context_tokens, c.depth
  ), gone AS (
    -- Of a sweep or an arm that is being deleted the squares have gone already, or go with it.
    DELETE FROM needle_squares s USING changes c
    WHERE (s.sweep_id, s.arm_id, s.task, s.context_tokens, s.depth) = (c.sweep_id, c.arm_id, c.task, c.context_tokens, c.depth)
      AND s.planned + s.measured + s.diverged + s.infeasible + s.failed + c.planned + c.measured + c.diverged + c.infeasible + c.failed = 0
  )
  INSERT INTO needle_squares AS s (
    sweep_id, arm_id, task, context_tokens, depth, planned, measured, diverged, infeasible, failed, exact_matches, string_matches,
    entropy_cells, token_recall, string_recall, entropy, entropy_first, entropy_first_of_exact_matches, entropy_first_of_string_matches,
    nll_per_token, needle_mass)
  SELECT c.* FROM changes c
  LEFT JOIN needle_squares o
    ON (o.sweep_id, o.arm_id, o.task, o.context_tokens, o.depth) = (c.sweep_id, c.arm_id, c.task, c.context_tokens, c.depth)
  WHERE coalesce(o.planned + o.measured + o.diverged + o.infeasible + o.failed, 0)
        + c.planned + c.measured + c.diverged + c.infeasible + c.failed > 0
  ORDER BY c.sweep_id, c.arm_id, c.task, c.context_tokens, c.depth
  ON CONFLICT (sweep_id, arm_id, task, context_tokens, depth) DO UPDATE SET
    planned = s.planned + excluded.planned,
    measured = s.measured + excluded.measured,
    diverged = s.diverged + excluded.diverged,
    infeasible = s.infeasible + excluded.infeasible,
    failed = s.failed + excluded.failed,
    exact_matches = s.exact_matches + excluded.exact_matches,
    string_matches = s.string_matches + excluded.string_matches,
    entropy_cells = s.entropy_cells + excluded.entropy_cells,
    token_recall = s.token_recall + excluded.token_recall,
    string_recall = s.string_recall + excluded.string_recall,
    entropy = s.entropy + excluded.entropy,
    entropy_first = s.entropy_first + excluded.entropy_first,
    entropy_first_of_exact_matches = s.entropy_first_of_exact_matches + excluded.entropy_first_of_exact_matches,
    entropy_first_of_string_matches = s.entropy_first_of_string_matches + excluded.entropy_first_of_string_matches,
    nll_per_token = s.nll_per_token + excluded.nll_per_token,
    needle_mass = s.needle_mass + excluded.needle_mass;
  RETURN NULL;
END $body$
$create$, kind.name, kind.moved);
  END LOOP;
END $migration$;

CREATE TRIGGER memberships_added_to_squares AFTER INSERT ON memberships
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_needle_squares();
CREATE TRIGGER memberships_moved_in_squares AFTER UPDATE ON memberships
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION move_needle_squares();
CREATE TRIGGER memberships_removed_from_squares AFTER DELETE ON memberships
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION subtract_needle_squares();

-- Rows that are scored again. Who makes cells members or measured meanwhile is waited for, and comes after: he would count the
-- old scores, and be counted by nobody.
CREATE FUNCTION rescore_needle_squares() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  LOCK TABLE memberships IN SHARE ROW EXCLUSIVE MODE;
  UPDATE needle_squares s SET
    exact_matches = s.exact_matches + c.exact_matches,
    string_matches = s.string_matches + c.string_matches,
    token_recall = s.token_recall + c.token_recall,
    string_recall = s.string_recall + c.string_recall,
    entropy_first_of_exact_matches = s.entropy_first_of_exact_matches + c.entropy_first_of_exact_matches,
    entropy_first_of_string_matches = s.entropy_first_of_string_matches + c.entropy_first_of_string_matches,
    nll_per_token = s.nll_per_token + c.nll_per_token
  FROM (
    SELECT m.sweep_id, m.arm_id, m.task, m.context_tokens, m.depth,
           sum(step * n.exact_match::int) AS exact_matches,
           coalesce(sum(step * (n.string_recall = 1)::int), 0) AS string_matches,
           sum(step * n.token_recall::numeric) AS token_recall,
           coalesce(sum(step * n.string_recall::numeric), 0) AS string_recall,
           coalesce(sum(step * n.entropy_first::numeric) FILTER (WHERE n.exact_match), 0) AS entropy_first_of_exact_matches,
           coalesce(sum(step * n.entropy_first::numeric) FILTER (WHERE n.string_recall = 1), 0) AS entropy_first_of_string_matches,
           sum(step * (n.sum_nll / n.token_count)::numeric) AS nll_per_token
    FROM (SELECT *, -1 AS step FROM before UNION ALL SELECT *, 1 FROM after) AS n
    JOIN memberships m ON m.cell_key = n.cell_key AND m.state = 'measured' AND m.origin = 'grid'
    GROUP BY m.sweep_id, m.arm_id, m.task, m.context_tokens, m.depth
  ) AS c
  WHERE (s.sweep_id, s.arm_id, s.task, s.context_tokens, s.depth) = (c.sweep_id, c.arm_id, c.task, c.context_tokens, c.depth);
  RETURN NULL;
END $$;

CREATE TRIGGER needle_results_rescored AFTER UPDATE ON needle_results
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION rescore_needle_squares();

-- Cells that end, by the minute. A cell that is planned again takes nothing back: it had ended.
CREATE FUNCTION count_progress_minute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO progress_minutes AS p (sweep_id, minute, cells, tokens)
  SELECT sweep_id, date_trunc('minute', now()), sum(step), coalesce(sum(step * context_tokens) FILTER (WHERE state IN ('measured', 'diverged')), 0)
  FROM (SELECT sweep_id, context_tokens, state, -1 AS step FROM before UNION ALL SELECT sweep_id, context_tokens, state, 1 FROM after) AS moved
  WHERE state <> 'planned'
  GROUP BY sweep_id
  HAVING sum(step) > 0
  ORDER BY sweep_id
  ON CONFLICT (sweep_id, minute) DO UPDATE SET cells = p.cells + excluded.cells, tokens = p.tokens + excluded.tokens;
  RETURN NULL;
END $$;

CREATE TRIGGER memberships_moved_in_minute AFTER UPDATE ON memberships
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_progress_minute();

-- What is there already: as if it were added now.
INSERT INTO needle_squares
SELECT m.sweep_id, m.arm_id, m.task, m.context_tokens, m.depth,
       count(*) FILTER (WHERE m.state = 'planned'),
       count(*) FILTER (WHERE m.state = 'measured'),
       count(*) FILTER (WHERE m.state = 'diverged'),
       count(*) FILTER (WHERE m.state = 'infeasible'),
       count(*) FILTER (WHERE m.state = 'failed'),
       coalesce(sum(n.exact_match::int), 0),
       count(*) FILTER (WHERE n.string_recall = 1),
       count(n.entropy),
       coalesce(sum(n.token_recall::numeric), 0),
       coalesce(sum(n.string_recall::numeric), 0),
       coalesce(sum(n.entropy::numeric), 0),
       coalesce(sum(n.entropy_first::numeric), 0),
       coalesce(sum(n.entropy_first::numeric) FILTER (WHERE n.exact_match), 0),
       coalesce(sum(n.entropy_first::numeric) FILTER (WHERE n.string_recall = 1), 0),
       coalesce(sum((n.sum_nll / n.token_count)::numeric), 0),
       coalesce(sum(n.needle_mass::numeric), 0)
FROM memberships m LEFT JOIN needle_results n ON n.cell_key = m.cell_key AND m.state = 'measured'
WHERE m.task_kind = 'needle' AND m.origin = 'grid'
GROUP BY m.sweep_id, m.arm_id, m.task, m.context_tokens, m.depth;

-- Losses of contexts of 64, 128, 192, ... tokens (the first token of a context is not predicted): a context of any length needs
-- at most 63 losses more.
CREATE FUNCTION sums_by_64(numbers real[]) RETURNS double precision[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(total ORDER BY place), '{}')
  FROM (SELECT place, sum(number::float8) OVER (ORDER BY place) AS total FROM unnest(numbers) WITH ORDINALITY AS each(number, place)) AS running
  WHERE (place + 1) % 64 = 0
$$;
ALTER TABLE perplexity_results
  ADD COLUMN nll_sums DOUBLE PRECISION[] GENERATED ALWAYS AS (sums_by_64(nll)) STORED,
  ADD COLUMN byte_sums DOUBLE PRECISION[] GENERATED ALWAYS AS (sums_by_64(token_bytes::real[])) STORED;

-- How often each head of an arm retrieves: needle cells first measured for it, in whichever sweep, from here on.
CREATE TABLE retrieval_heads (
    arm_id TEXT NOT NULL,
    layers INTEGER NOT NULL,
    head_count INTEGER NOT NULL,
    cells INTEGER NOT NULL,
    totals DOUBLE PRECISION[],

    CONSTRAINT retrieval_heads_pkey PRIMARY KEY (arm_id)
) WITH (fillfactor = 50);

-- How far heads differ; rows of before say nothing of it.
ALTER TABLE attention_distributions ADD COLUMN heads_p10 DOUBLE PRECISION[], ADD COLUMN heads_p90 DOUBLE PRECISION[];

-- Tasks hold haystacks and documents: what views read of them, row by row, stands beside.
CREATE FUNCTION brief_tasks(tasks jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object('kind', task -> 'kind', 'criterion', task -> 'criterion', 'windows', task -> 'windows', 'contextTokens', task -> 'contextTokens') ORDER BY nth), '[]')
  FROM jsonb_array_elements(tasks) WITH ORDINALITY AS each(task, nth)
$$;
ALTER TABLE revisions ADD COLUMN brief_tasks JSONB GENERATED ALWAYS AS (brief_tasks(tasks)) STORED;

-- Views: columns are added at the end, never renamed.

CREATE VIEW reporting.tasks AS
SELECT s.id AS sweep, t.nth::int - 1 AS task, t.task ->> 'kind' AS kind, t.task ->> 'criterion' AS criterion
FROM sweeps s
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
CROSS JOIN LATERAL jsonb_array_elements(r.brief_tasks) WITH ORDINALITY AS t(task, nth);
COMMENT ON VIEW reporting.tasks IS 'One row per task of the current revision of a sweep; criterion is null but for needle tasks.';

CREATE OR REPLACE VIEW reporting.needle_cells AS
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
       x.measured_at,
       r.brief_tasks -> m.task ->> 'criterion' AS criterion,
       CASE m.state
         WHEN 'measured' THEN
           CASE r.brief_tasks -> m.task ->> 'criterion'
             WHEN 'tokenRecall' THEN n.token_recall
             WHEN 'stringRecall' THEN n.string_recall
             ELSE n.exact_match::int::float8
           END
         WHEN 'diverged' THEN 0
       END AS score,
       n.token_recall,
       n.string_recall,
       n.entropy_of_mean,
       n.sink_mass_4,
       n.local_mass,
       n.local_tokens,
       n.retrieval_score,
       n.generated_text
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN sweeps s ON s.id = m.sweep_id
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
LEFT JOIN measurements x ON x.cell_key = m.cell_key AND m.state IN ('measured', 'diverged')
LEFT JOIN needle_results n ON n.cell_key = m.cell_key AND m.state = 'measured'
LEFT JOIN outcomes o ON m.state IN ('infeasible', 'failed')
  AND o.cell_key = m.cell_key AND o.engine_version = r.engine_version AND o.device_class = CASE
    WHEN m.state IN ('infeasible', 'failed') AND r.larger_device_class IS NOT NULL AND EXISTS (
      SELECT FROM outcomes f WHERE f.cell_key = m.cell_key AND f.device_class = r.device_class AND f.engine_version = r.engine_version
        AND f.state = 'infeasible' AND f.code = 'OUT_OF_MEMORY')
    THEN r.larger_device_class ELSE r.device_class END
WHERE m.task_kind = 'needle';

CREATE OR REPLACE VIEW reporting.needle_heatmap AS
SELECT s.sweep_id AS sweep,
       s.arm_id,
       a.ordinal AS arm_ordinal,
       a.label AS arm,
       a.original_context_tokens,
       a.continual_pretrain_context_tokens,
       s.task,
       s.context_tokens,
       s.depth,
       (s.planned + s.measured + s.diverged + s.infeasible + s.failed)::bigint AS cells,
       (s.measured + s.diverged)::bigint AS n,
       CASE WHEN s.measured + s.diverged > 0 THEN s.exact_matches::bigint END AS passed,
       s.exact_matches::float8 / nullif(s.measured + s.diverged, 0) AS recall,
       CASE WHEN s.entropy_cells < s.measured THEN s.entropy_first / nullif(s.measured, 0) ELSE s.entropy / nullif(s.entropy_cells, 0) END::float8 AS entropy,
       s.entropy_cells < s.measured AS entropy_is_first,
       (s.nll_per_token / nullif(s.measured, 0))::float8 AS nll_per_token,
       (s.needle_mass / nullif(s.measured, 0))::float8 AS needle_mass,
       s.planned::bigint AS planned,
       s.diverged::bigint AS diverged,
       s.infeasible::bigint AS infeasible,
       s.failed::bigint AS failed,
       t.criterion,
       (c.total / nullif(s.measured + s.diverged, 0))::float8 AS score,
       c.total::float8 AS score_total,
       c.passes::bigint AS passes,
       s.measured::bigint AS measured,
       s.entropy_first::float8 AS entropy_first_total,
       c.entropy_first::float8 AS entropy_first_total_of_passes
FROM needle_squares s
JOIN arms a ON a.sweep_id = s.sweep_id AND a.arm_id = s.arm_id
JOIN sweeps w ON w.id = s.sweep_id
JOIN revisions r ON r.sweep_id = w.id AND r.number = w.revision
CROSS JOIN LATERAL (SELECT r.brief_tasks -> s.task ->> 'criterion' AS criterion) AS t
CROSS JOIN LATERAL (
  SELECT CASE t.criterion WHEN 'tokenRecall' THEN s.token_recall WHEN 'stringRecall' THEN s.string_recall ELSE s.exact_matches END AS total,
         CASE t.criterion WHEN 'stringRecall' THEN s.string_matches ELSE s.exact_matches END AS passes,
         CASE t.criterion WHEN 'stringRecall' THEN s.entropy_first_of_string_matches ELSE s.entropy_first_of_exact_matches END AS entropy_first
) AS c;
COMMENT ON VIEW reporting.needle_heatmap IS 'One row per square of a heat map: arm x task x context length x depth, over the seeds of the grid (origin grid: cells of refinement and audit are in needle_cells alone), kept by triggers. n counts cells with an answer (measured, diverged). passed and recall are exact match; score (mean over n) and score_total are by the criterion of the task, passes counts cells whose score is 1. entropy is the mean of entropy, or of entropy_first where some cell has no entropy (entropy_is_first).';

CREATE OR REPLACE VIEW reporting.perplexity AS
SELECT m.sweep_id AS sweep,
       m.arm_id,
       a.ordinal AS arm_ordinal,
       a.label AS arm,
       m.cell_key,
       m.task,
       m.document,
       r.brief_tasks -> m.task -> 'windows' ->> 'kind' AS windows,
       shown.context_tokens,
       shown.tokens,
       shown.sum_nll,
       shown.sum_nll / shown.tokens AS nll_per_token,
       shown.bytes,
       shown.sum_nll / shown.bytes / ln(2) AS bits_per_byte
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN sweeps s ON s.id = m.sweep_id
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
JOIN perplexity_results p ON p.cell_key = m.cell_key AND m.state = 'measured'
CROSS JOIN LATERAL (
  -- One window from the start: every shorter context that the task shows is a prefix of it. Whole arrays are read only where
  -- a length is no multiple of 64.
  SELECT asked.context_tokens,
         had.tokens,
         CASE WHEN had.whole = 0 THEN 0 ELSE p.nll_sums[had.whole] END
           + CASE WHEN had.tokens + 1 = had.whole * 64 THEN 0 ELSE (SELECT coalesce(sum(loss::float8), 0) FROM unnest(p.nll[greatest(had.whole * 64, 1):had.tokens]) AS loss) END AS sum_nll,
         CASE WHEN p.byte_count IS NOT NULL THEN
           nullif(CASE WHEN had.whole = 0 THEN 0 ELSE p.byte_sums[had.whole] END
             + CASE WHEN had.tokens + 1 = had.whole * 64 THEN 0 ELSE (SELECT coalesce(sum(bytes::bigint), 0) FROM unnest(p.token_bytes[greatest(had.whole * 64, 1):had.tokens]) AS bytes) END, 0)
         END::numeric AS bytes
  FROM jsonb_array_elements_text(r.brief_tasks -> m.task -> 'contextTokens') AS listed(text)
  CROSS JOIN LATERAL (SELECT listed.text::int AS context_tokens) AS asked
  CROSS JOIN LATERAL (SELECT least(asked.context_tokens - 1, p.token_count) AS tokens, (least(asked.context_tokens - 1, p.token_count) + 1) / 64 AS whole) AS had
  WHERE r.brief_tasks -> m.task -> 'windows' ->> 'kind' = 'first' AND asked.context_tokens <= m.context_tokens
    -- Where an arm has a cell for every length (its table depends on it), each cell shows its own.
    AND (asked.context_tokens = m.context_tokens OR a.tables ? '*')
  UNION ALL
  SELECT m.context_tokens, p.token_count, p.sum_nll, p.byte_count
  WHERE r.brief_tasks -> m.task -> 'windows' ->> 'kind' <> 'first'
) AS shown
WHERE m.task_kind = 'perplexity';

CREATE VIEW reporting.perplexity_by_position AS
SELECT m.sweep_id AS sweep,
       m.arm_id,
       a.ordinal AS arm_ordinal,
       a.label AS arm,
       m.cell_key,
       m.task,
       m.document,
       m.context_tokens,
       bucket.from_tokens,
       bucket.to_tokens,
       bucket.to_tokens - greatest(bucket.from_tokens, 1) AS tokens,
       p.nll_sums[bucket.to_tokens / 64] - CASE WHEN bucket.from_tokens = 0 THEN 0 ELSE p.nll_sums[bucket.from_tokens / 64] END AS sum_nll
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN sweeps s ON s.id = m.sweep_id
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
JOIN perplexity_results p ON p.cell_key = m.cell_key AND m.state = 'measured'
CROSS JOIN LATERAL (
  -- Doubling from 64; the last bucket ends with the last whole 64 tokens.
  SELECT CASE WHEN power = 6 THEN 0 ELSE (2 ^ (power - 1))::int END AS from_tokens, least((2 ^ power)::bigint, whole.tokens)::int AS to_tokens
  FROM (SELECT (p.token_count + 1) / 64 * 64 AS tokens) AS whole CROSS JOIN generate_series(6, 31) AS power
  WHERE whole.tokens > CASE WHEN power = 6 THEN 0 ELSE 2 ^ (power - 1) END
) AS bucket
WHERE m.task_kind = 'perplexity' AND r.brief_tasks -> m.task -> 'windows' ->> 'kind' = 'first';
COMMENT ON VIEW reporting.perplexity_by_position IS 'Loss by position in one window from the start of a document (windows = first): of tokens with from_tokens to to_tokens - 1 tokens before them, buckets doubling from 64; what is left after the last whole 64 tokens is left out.';

CREATE OR REPLACE VIEW reporting.attention AS
SELECT m.sweep_id AS sweep,
       m.arm_id,
       a.ordinal AS arm_ordinal,
       a.label AS arm,
       m.cell_key,
       m.task,
       m.context_tokens,
       m.state::text AS state,
       t.documents,
       t.rows,
       t.entropy,
       t.entropy_normalized,
       t.sink_mass,
       d.axis::text AS axis,
       d.mean AS distribution,
       d.heads_p10,
       d.heads_p90
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
LEFT JOIN attention_results t ON t.cell_key = m.cell_key AND m.state = 'measured'
LEFT JOIN attention_distributions d ON d.cell_key = t.cell_key
WHERE m.task_kind = 'attention';
COMMENT ON VIEW reporting.attention IS 'One row per attention cell and axis: mean distribution over layers, heads, documents and rows, the 10th and 90th percentile over heads of every bin (null where heads were not stored or before they were derived), and its entropies in nats.';

CREATE OR REPLACE VIEW reporting.outcomes AS
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
       o.at,
       m.task_kind::text AS task_kind,
       m.document,
       m.shard_id AS shard,
       h.leased_by AS worker
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN sweeps s ON s.id = m.sweep_id
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
JOIN outcomes o ON o.cell_key = m.cell_key AND o.engine_version = r.engine_version AND o.device_class = CASE
    WHEN r.larger_device_class IS NOT NULL AND EXISTS (
      SELECT FROM outcomes f WHERE f.cell_key = m.cell_key AND f.device_class = r.device_class AND f.engine_version = r.engine_version
        AND f.state = 'infeasible' AND f.code = 'OUT_OF_MEMORY')
    THEN r.larger_device_class ELSE r.device_class END
LEFT JOIN shards h ON h.id = m.shard_id
WHERE m.state IN ('infeasible', 'failed');
COMMENT ON VIEW reporting.outcomes IS 'One row per cell of a sweep without numbers: infeasible (out of memory) or failed (quarantined), with its reason; shard and worker are those that had it last.';

-- As `ropesweep watch` reads them: by time, so that a sweep where nearly everything fails costs no more than another.
CREATE VIEW reporting.latest_outcomes AS
SELECT m.sweep_id AS sweep,
       a.label AS arm,
       o.cell_key,
       m.task,
       m.task_kind::text AS task_kind,
       m.context_tokens,
       m.depth,
       m.seed,
       m.document,
       o.state::text AS state,
       o.code,
       o.reason,
       o.attempts,
       o.at,
       m.shard_id AS shard,
       h.leased_by AS worker
FROM (SELECT * FROM outcomes ORDER BY at DESC LIMIT 2000) AS o
CROSS JOIN LATERAL (SELECT * FROM memberships c WHERE c.cell_key = o.cell_key AND c.state IN ('infeasible', 'failed') OFFSET 0) AS m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN sweeps s ON s.id = m.sweep_id
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision AND r.engine_version = o.engine_version AND o.device_class = CASE
    WHEN r.larger_device_class IS NOT NULL AND EXISTS (
      SELECT FROM outcomes f WHERE f.cell_key = o.cell_key AND f.device_class = r.device_class AND f.engine_version = r.engine_version
        AND f.state = 'infeasible' AND f.code = 'OUT_OF_MEMORY')
    THEN r.larger_device_class ELSE r.device_class END
LEFT JOIN shards h ON h.id = m.shard_id;
COMMENT ON VIEW reporting.latest_outcomes IS 'Like outcomes, of the 2,000 latest of the store.';

CREATE OR REPLACE VIEW reporting.workers AS
SELECT w.id AS worker, w.host, w.pid, w.device_class, w.slots, w.fingerprint, w.self_test, w.started_at, w.heartbeat_at, w.state, w.reason, w.loaded,
       w.memory_bytes, w.version,
       greatest(extract(epoch FROM now() - w.heartbeat_at), 0)::float8 AS heartbeat_age_seconds,
       coalesce(b.slots, 0)::int AS busy_slots,
       coalesce(b.peak_bytes, 0)::float8 AS predicted_peak_bytes,
       coalesce(c.checkpoints, '{}') AS checkpoints
FROM workers w
LEFT JOIN (
  SELECT l.id, array_agg(DISTINCT regexp_replace(a.checkpoint_folder, '^.*/', '')) AS checkpoints
  FROM workers l CROSS JOIN LATERAL unnest(l.loaded) AS held(weights_id) JOIN arms a ON a.weights_id = held.weights_id
  GROUP BY l.id
) AS c ON c.id = w.id
LEFT JOIN (
  SELECT h.leased_by, count(*) AS slots, sum(h.cost_peak_bytes) AS peak_bytes FROM sweeps s JOIN shards h ON h.sweep_id = s.id
  WHERE s.state IN ('running', 'paused', 'stopping', 'cancelling') AND h.state = 'leased' GROUP BY h.leased_by
) AS b ON b.leased_by = w.id;
COMMENT ON VIEW reporting.workers IS 'One row per registered worker process; one whose heartbeat is old is gone. busy_slots are shards that it holds, predicted_peak_bytes the sum of their predicted peaks.';

CREATE VIEW reporting.retrieval_heads AS
SELECT a.sweep_id AS sweep,
       a.arm_id,
       a.ordinal AS arm_ordinal,
       a.label AS arm,
       ((t.place - 1) / h.head_count)::int AS layer,
       ((t.place - 1) % h.head_count)::int AS head,
       h.cells,
       t.total / h.cells AS score
FROM arms a
JOIN retrieval_heads h ON h.arm_id = a.arm_id
CROSS JOIN LATERAL unnest(h.totals) WITH ORDINALITY AS t(total, place);
COMMENT ON VIEW reporting.retrieval_heads IS 'One row per head of an arm: mean retrieval score over the needle cells that were first measured for the arm, in whichever sweep, since these totals are kept. Layers and heads count from 0.';

CREATE VIEW reporting.progress_minutes AS
SELECT sweep_id AS sweep, minute, cells, tokens FROM progress_minutes;
COMMENT ON VIEW reporting.progress_minutes IS 'Cells of a sweep that ended within a minute (also those that another sweep measured for it), and prompt tokens of those with numbers.';

CREATE VIEW reporting.queue_samples AS
SELECT queue, kind, sampled_at, backlog, backlog_age_seconds, added_per_second, dispatched_per_second, pollers FROM queue_samples;
COMMENT ON VIEW reporting.queue_samples IS 'What Temporal said of a task queue, every 30 s while a control worker lives: tasks that wait (about), the age of the oldest, tasks added and handed out a second, pollers of the last minutes.';

CREATE VIEW reporting.store AS
SELECT pg_database_size(current_database()) AS bytes,
       pg_size_bytes(nullif(current_setting('ropesweep.size_limit', true), ''))::float8 AS limit_bytes;
COMMENT ON VIEW reporting.store IS 'One row: bytes of the database, indexes and catalog included, and what it may take: null until somebody says it, ALTER DATABASE ... SET ropesweep.size_limit = ''500 GB''.';

CREATE OR REPLACE VIEW reporting.sweeps AS
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
       r.mix_fingerprints::text AS mix_fingerprints,
       s.reason,
       s.concurrency,
       s.priority
FROM sweeps s
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
LEFT JOIN sweep_progress p ON p.sweep_id = s.id;

-- Work by cost and when it ends, as `ropesweep watch` computes it (results/live.ts, cli/live/rates.ts): the same figures.
CREATE VIEW reporting.sweep_work AS
SELECT s.id AS sweep,
       t.flops,
       t.done_flops,
       CASE WHEN coalesce(c.planned, 0) = 0 THEN 1 WHEN t.flops > 0 THEN t.done_flops / t.flops
            ELSE 1 - c.planned::float8 / nullif(c.planned + c.measured + c.diverged + c.infeasible + c.failed, 0) END AS done_share,
       t.tokens,
       t.done_tokens,
       t.planned_shards,
       t.leased_shards,
       t.done_shards,
       t.failed_shards,
       t.recoveries,
       e.shards AS speed_shards,
       e.flops_per_second AS slot_flops_per_second,
       e.tokens_per_second AS slot_tokens_per_second,
       e.eta_seconds,
       least(e.eta_seconds, e.earliest_seconds) AS earliest_seconds,
       greatest(e.eta_seconds, e.latest_seconds) AS latest_seconds
FROM sweeps s
LEFT JOIN sweep_progress c ON c.sweep_id = s.id
CROSS JOIN LATERAL (
  -- Superseded shards count nowhere: others have their cells. A shard that somebody began counts by the tokens of its cells that ended.
  SELECT coalesce(sum(h.cost_flops) FILTER (WHERE h.state <> 'superseded'), 0) AS flops,
         coalesce(sum(h.cost_flops * h.share), 0) AS done_flops,
         coalesce(sum(h.cost_prompt_tokens) FILTER (WHERE h.state <> 'superseded'), 0)::float8 AS tokens,
         coalesce(sum(h.cost_prompt_tokens * h.share), 0) AS done_tokens,
         count(*) FILTER (WHERE h.state = 'planned') AS planned_shards,
         count(*) FILTER (WHERE h.state = 'leased') AS leased_shards,
         count(*) FILTER (WHERE h.state = 'done') AS done_shards,
         count(*) FILTER (WHERE h.state = 'failed') AS failed_shards,
         coalesce(sum(greatest(h.attempts - 1, 0)), 0) AS recoveries,
         greatest(0, max(h.cost_flops) FILTER (WHERE h.state = 'planned'), max(h.cost_flops * (1 - h.share)) FILTER (WHERE h.state = 'leased')) AS longest_flops,
         sum(h.cost_flops * h.share) FILTER (WHERE h.state = 'leased' AND h.share > 0 AND h.seconds > 0) AS running_flops,
         sum(h.cost_prompt_tokens * h.share) FILTER (WHERE h.state = 'leased' AND h.share > 0 AND h.seconds > 0) AS running_tokens,
         sum(h.seconds) FILTER (WHERE h.state = 'leased' AND h.share > 0 AND h.seconds > 0) AS running_seconds,
         count(*) FILTER (WHERE h.state = 'leased' AND h.share > 0 AND h.seconds > 0) AS running_shards
  FROM (
    SELECT o.*, extract(epoch FROM now() - o.leased_at)::float8 AS seconds,
           CASE WHEN o.state IN ('done', 'failed') THEN 1::float8
                WHEN o.state = 'leased' OR o.state = 'planned' AND o.attempts > 0 THEN
                  (SELECT coalesce(sum(m.context_tokens) FILTER (WHERE m.state <> 'planned')::float8 / sum(m.context_tokens), 0) FROM memberships m WHERE m.shard_id = o.id)
                ELSE 0 END AS share
    FROM shards o WHERE o.sweep_id = s.id
  ) AS h
) AS t
CROSS JOIN LATERAL (
  -- The shards that ended in the last five minutes, or the last 20 where fewer did, 200 at most; tried once, and computed here.
  SELECT count(*) AS shards, sum(flops) / sum(seconds) AS flops_per_second, sum(tokens) / sum(seconds) AS tokens_per_second,
         percentile_cont(0.25) WITHIN GROUP (ORDER BY flops / seconds) AS slow, percentile_cont(0.75) WITHIN GROUP (ORDER BY flops / seconds) AS fast
  FROM (
    SELECT ended_at, greatest(extract(epoch FROM ended_at - leased_at), 0.001)::float8 AS seconds, prompt_tokens::float8 AS tokens,
           cost_flops * least(1, prompt_tokens::float8 / greatest(cost_prompt_tokens, 1)) AS flops,
           row_number() OVER (ORDER BY ended_at DESC) AS nth
    FROM (
      SELECT * FROM shards WHERE sweep_id = s.id AND ended_at IS NOT NULL AND state = 'done' AND attempts = 1 AND run_seconds > 0
      ORDER BY ended_at DESC LIMIT 200
    ) AS latest
  ) AS ended
  WHERE nth <= 20 OR ended_at > now() - interval '5 minutes'
) AS v
CROSS JOIN LATERAL (
  SELECT CASE WHEN v.shards > 0 THEN v.shards ELSE nullif(t.running_shards, 0) END AS shards,
         CASE WHEN v.shards > 0 THEN v.flops_per_second ELSE t.running_flops / t.running_seconds END AS flops_per_second,
         CASE WHEN v.shards > 0 THEN v.tokens_per_second ELSE t.running_tokens / t.running_seconds END AS tokens_per_second,
         CASE WHEN v.shards > 0 THEN v.fast ELSE t.running_flops / t.running_seconds END AS fast,
         CASE WHEN v.shards > 0 THEN v.slow ELSE t.running_flops / t.running_seconds END AS slow
) AS p
CROSS JOIN LATERAL (
  -- A shard is evaluated by one slot: the longest that is left bounds the time, however many slots there are.
  SELECT p.shards, p.flops_per_second, p.tokens_per_second,
         CASE WHEN open AND t.leased_shards > 0 THEN greatest((t.flops - t.done_flops) / (t.leased_shards * nullif(p.flops_per_second, 0)), t.longest_flops / nullif(p.flops_per_second, 0)) END AS eta_seconds,
         CASE WHEN open AND t.leased_shards > 0 THEN greatest((t.flops - t.done_flops) / (t.leased_shards * nullif(p.fast, 0)), t.longest_flops / nullif(p.fast, 0)) END AS earliest_seconds,
         CASE WHEN open AND t.leased_shards > 0 THEN greatest((t.flops - t.done_flops) / (t.leased_shards * nullif(p.slow, 0)), t.longest_flops / nullif(p.slow, 0)) END AS latest_seconds
  FROM (SELECT s.state IN ('running', 'paused', 'stopping', 'cancelling') AS open) AS state
) AS e;
COMMENT ON VIEW reporting.sweep_work IS 'One row per sweep: predicted cost in FLOPs and what is done of it, shards, and when it ends: what is left at the speed of the latest shards in as many slots as hold a shard now; earliest and latest are at the speed of the fastest and the slowest quarter of these shards. Null where no shard runs or nothing is known of the speed.';

CREATE VIEW reporting.running_shards AS
SELECT h.sweep_id AS sweep,
       h.id AS shard,
       a.label AS arm,
       h.leased_by AS worker,
       h.leased_at,
       greatest(extract(epoch FROM now() - h.leased_at), 0)::float8 AS seconds,
       h.attempts,
       m.cells,
       m.ended_cells,
       m.share,
       m.longest_context_tokens,
       h.cost_flops
FROM sweeps s
JOIN shards h ON h.sweep_id = s.id AND h.state = 'leased'
JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id
CROSS JOIN LATERAL (
  SELECT count(*) AS cells, count(*) FILTER (WHERE state <> 'planned') AS ended_cells, max(context_tokens) AS longest_context_tokens,
         coalesce(sum(context_tokens) FILTER (WHERE state <> 'planned')::float8 / sum(context_tokens), 0) AS share
  FROM memberships WHERE shard_id = h.id
) AS m;
COMMENT ON VIEW reporting.running_shards IS 'One row per shard that a worker holds: share is the share of its tokens whose cells have ended.';
