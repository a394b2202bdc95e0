-- Perplexity and attention beside needle; more probes; peak memory; tokens of greedy decoding apart.

ALTER TABLE revisions ADD COLUMN peak_bytes BIGINT NOT NULL DEFAULT 0, ADD COLUMN result_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE arms ADD COLUMN weight_format TEXT NOT NULL DEFAULT 'f32', ADD COLUMN notice TEXT;
ALTER TABLE memberships ADD COLUMN document TEXT;
ALTER TABLE shards ADD COLUMN cost_peak_bytes BIGINT NOT NULL DEFAULT 0, ADD COLUMN completion_tokens BIGINT NOT NULL DEFAULT 0;

-- Rows of an engine without these probes say NaN: nothing measured them.
ALTER TABLE needle_results
  ADD COLUMN token_recall DOUBLE PRECISION,
  ADD COLUMN string_recall DOUBLE PRECISION,
  ADD COLUMN generated_text TEXT,
  ADD COLUMN entropy_of_mean DOUBLE PRECISION NOT NULL DEFAULT 'NaN',
  ADD COLUMN sink_mass_4 DOUBLE PRECISION NOT NULL DEFAULT 'NaN',
  ADD COLUMN local_mass DOUBLE PRECISION NOT NULL DEFAULT 'NaN',
  ADD COLUMN local_tokens INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN retrieval_score DOUBLE PRECISION NOT NULL DEFAULT 'NaN';
UPDATE needle_results SET token_recall = (
  SELECT avg((a.id = t.id)::int) FROM unnest(answer_ids) WITH ORDINALITY AS a(id, row) JOIN unnest(top1_ids) WITH ORDINALITY AS t(id, row) USING (row));
ALTER TABLE needle_results
  ALTER COLUMN token_recall SET NOT NULL,
  ALTER COLUMN entropy_of_mean DROP DEFAULT,
  ALTER COLUMN sink_mass_4 DROP DEFAULT,
  ALTER COLUMN local_mass DROP DEFAULT,
  ALTER COLUMN local_tokens DROP DEFAULT,
  ALTER COLUMN retrieval_score DROP DEFAULT;

CREATE TABLE perplexity_results (
    cell_key TEXT NOT NULL,
    document TEXT NOT NULL,
    nll REAL[],
    token_bytes SMALLINT[],
    window_tokens INTEGER NOT NULL,
    window_starts INTEGER[],
    sum_nll DOUBLE PRECISION NOT NULL,
    token_count INTEGER NOT NULL,
    byte_count INTEGER,

    CONSTRAINT perplexity_results_pkey PRIMARY KEY (cell_key),
    CONSTRAINT perplexity_results_cell_key_fkey FOREIGN KEY (cell_key) REFERENCES measurements (cell_key) ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE attention_results (
    cell_key TEXT NOT NULL,
    layers INTEGER NOT NULL,
    head_count INTEGER NOT NULL,
    documents INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    entropy DOUBLE PRECISION NOT NULL,
    entropy_normalized DOUBLE PRECISION NOT NULL,
    sink_mass DOUBLE PRECISION NOT NULL,

    CONSTRAINT attention_results_pkey PRIMARY KEY (cell_key),
    CONSTRAINT attention_results_cell_key_fkey FOREIGN KEY (cell_key) REFERENCES measurements (cell_key) ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TYPE key_axis AS ENUM ('fraction', 'index', 'distance');

CREATE TABLE attention_distributions (
    cell_key TEXT NOT NULL,
    axis key_axis NOT NULL,
    mean DOUBLE PRECISION[],
    heads BYTEA,

    CONSTRAINT attention_distributions_pkey PRIMARY KEY (cell_key, axis),
    CONSTRAINT attention_distributions_cell_key_fkey FOREIGN KEY (cell_key) REFERENCES attention_results (cell_key) ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE attention_divergences (
    cell_key TEXT NOT NULL,
    reference_key TEXT NOT NULL,
    axis key_axis NOT NULL,
    mean_of_heads DOUBLE PRECISION,
    of_mean DOUBLE PRECISION NOT NULL,

    CONSTRAINT attention_divergences_pkey PRIMARY KEY (cell_key, reference_key, axis)
);
-- Views: columns are added at the end, never renamed.

CREATE OR REPLACE VIEW reporting.arms AS
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
       a.fingerprint,
       a.weight_format,
       a.notice
FROM arms a;

-- What passes is the task's criterion; recall is 0..1: of tokenRecall and stringRecall a share.
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
       r.tasks -> m.task ->> 'criterion' AS criterion,
       CASE m.state
         WHEN 'measured' THEN
           CASE r.tasks -> m.task ->> 'criterion'
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
  AND o.cell_key = m.cell_key AND o.device_class = r.device_class AND o.engine_version = r.engine_version
WHERE m.task_kind = 'needle';
COMMENT ON VIEW reporting.needle_cells IS 'One row per needle cell of a sweep. entropy_shown is entropy, or entropy_first where nothing was generated (entropy_is_first). recall is exact match; score is by the criterion of the task.';

CREATE OR REPLACE VIEW reporting.shards AS
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
       h.error_reason,
       h.completion_tokens,
       h.cost_peak_bytes
FROM shards h
JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id;

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
       m.document
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN sweeps s ON s.id = m.sweep_id
JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
JOIN outcomes o ON o.cell_key = m.cell_key AND o.device_class = r.device_class AND o.engine_version = r.engine_version
WHERE m.state IN ('infeasible', 'failed');

CREATE VIEW reporting.perplexity AS
SELECT m.sweep_id AS sweep,
       m.arm_id,
       a.ordinal AS arm_ordinal,
       a.label AS arm,
       m.cell_key,
       m.task,
       m.document,
       r.tasks -> m.task -> 'windows' ->> 'kind' AS windows,
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
  -- One window from the start: every shorter context that the task shows is a prefix of it.
  SELECT asked.context_tokens,
         least(asked.context_tokens - 1, cardinality(p.nll)) AS tokens,
         (SELECT sum(loss::float8) FROM unnest(p.nll[1:asked.context_tokens - 1]) AS loss) AS sum_nll,
         (SELECT nullif(sum(bytes::bigint), 0) FROM unnest(p.token_bytes[1:asked.context_tokens - 1]) AS bytes) AS bytes
  FROM jsonb_array_elements_text(r.tasks -> m.task -> 'contextTokens') AS listed(text)
  CROSS JOIN LATERAL (SELECT listed.text::int AS context_tokens) AS asked
  WHERE r.tasks -> m.task -> 'windows' ->> 'kind' = 'first' AND asked.context_tokens <= m.context_tokens
    -- Where an arm has a cell for every length (its table depends on it), each cell shows its own.
    AND (asked.context_tokens = m.context_tokens OR a.tables ? '*')
  UNION ALL
  SELECT m.context_tokens, p.token_count, p.sum_nll, p.byte_count
  WHERE r.tasks -> m.task -> 'windows' ->> 'kind' <> 'first'
) AS shown
WHERE m.task_kind = 'perplexity';
COMMENT ON VIEW reporting.perplexity IS 'Loss per arm, document and context length. windows = first: of the first context_tokens tokens of the document, derived from the losses of the longest pass; sliding and disjoint: of the tokens that count. Perplexity over documents is exp(sum(sum_nll) / sum(tokens)).';

CREATE VIEW reporting.attention AS
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
       d.mean AS distribution
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
LEFT JOIN attention_results t ON t.cell_key = m.cell_key AND m.state = 'measured'
LEFT JOIN attention_distributions d ON d.cell_key = t.cell_key
WHERE m.task_kind = 'attention';
COMMENT ON VIEW reporting.attention IS 'One row per attention cell and axis: mean distribution over layers, heads, documents and rows, and its entropies in nats.';

CREATE VIEW reporting.attention_divergences AS
SELECT m.sweep_id AS sweep,
       m.arm_id,
       a.ordinal AS arm_ordinal,
       a.label AS arm,
       m.task,
       m.context_tokens,
       v.axis::text AS axis,
       ra.label AS reference_arm,
       rm.context_tokens AS reference_context_tokens,
       v.mean_of_heads,
       v.of_mean
FROM memberships m
JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
JOIN attention_divergences v ON v.cell_key = m.cell_key
JOIN memberships rm ON rm.sweep_id = m.sweep_id AND rm.cell_key = v.reference_key AND rm.task = m.task
JOIN arms ra ON ra.sweep_id = rm.sweep_id AND ra.arm_id = rm.arm_id
WHERE m.task_kind = 'attention';
COMMENT ON VIEW reporting.attention_divergences IS 'Jensen-Shannon divergence in nats (0..ln 2) of an arm at a context length to a reference of the sweep.';
