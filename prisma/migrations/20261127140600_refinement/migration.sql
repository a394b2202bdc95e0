-- What refinement found and took, and cells by origin where views pool them.

ALTER TABLE "sweeps" ADD COLUMN "refinement" JSONB;

-- Lengths that refinement looked at have other numbers of seeds, and audit cells stand alone: a heat map is of the grid.
CREATE OR REPLACE VIEW reporting.needle_heatmap AS
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
WHERE origin = 'grid'
GROUP BY sweep, arm_id, arm_ordinal, arm, original_context_tokens, continual_pretrain_context_tokens, task, context_tokens, depth;
COMMENT ON VIEW reporting.needle_heatmap IS 'One row per square of a heat map: arm x task x context length x depth, over the seeds of the grid (origin grid: cells of refinement and audit are in needle_cells alone). n counts cells with an answer (measured, diverged). entropy is the mean of entropy, or of entropy_first where some cell has no entropy (entropy_is_first).';
