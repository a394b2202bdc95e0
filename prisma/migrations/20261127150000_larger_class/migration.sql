-- A larger device class, asked once for the cells that do not fit the sweep's own. Shards have a class of their own.

ALTER TABLE revisions ADD COLUMN larger_device_class TEXT;
ALTER TABLE shards ADD COLUMN device_class TEXT, ADD COLUMN handed_on INTEGER NOT NULL DEFAULT 0;
UPDATE shards h SET device_class = r.device_class FROM revisions r WHERE r.sweep_id = h.sweep_id AND r.number = h.revision;
ALTER TABLE shards ALTER COLUMN device_class SET NOT NULL;

-- Views: columns are added at the end, never renamed. Which outcome holds for a cell is said by results/cellOutcome.ts too: a view
-- reads with the rights of its owner, and a function in it would not.

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
  AND o.cell_key = m.cell_key AND o.engine_version = r.engine_version AND o.device_class = CASE
    WHEN m.state IN ('infeasible', 'failed') AND r.larger_device_class IS NOT NULL AND EXISTS (
      SELECT FROM outcomes f WHERE f.cell_key = m.cell_key AND f.device_class = r.device_class AND f.engine_version = r.engine_version
        AND f.state = 'infeasible' AND f.code = 'OUT_OF_MEMORY')
    THEN r.larger_device_class ELSE r.device_class END
WHERE m.task_kind = 'needle';

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
JOIN outcomes o ON o.cell_key = m.cell_key AND o.engine_version = r.engine_version AND o.device_class = CASE
    WHEN r.larger_device_class IS NOT NULL AND EXISTS (
      SELECT FROM outcomes f WHERE f.cell_key = m.cell_key AND f.device_class = r.device_class AND f.engine_version = r.engine_version
        AND f.state = 'infeasible' AND f.code = 'OUT_OF_MEMORY')
    THEN r.larger_device_class ELSE r.device_class END
WHERE m.state IN ('infeasible', 'failed');

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
       h.cost_peak_bytes,
       h.device_class,
       h.handed_on
FROM shards h
JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id;
