-- A sweep of a million cells comes in one statement, and nearly all of its cells have no numbers: those are counted by square in
-- one pass, and only measured ones are looked up. The pass has no condition, and is materialised so that it gets none: of one
-- PostgreSQL would expect a handful of rows, and sort a million of them on disk.
CREATE OR REPLACE FUNCTION add_needle_squares() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH counted AS MATERIALIZED (
    SELECT sweep_id, arm_id, task, task_kind, origin, context_tokens, depth, state, count(*) AS cells
    FROM added
    GROUP BY sweep_id, arm_id, task, task_kind, origin, context_tokens, depth, state
  ), pieces AS (
    SELECT sweep_id, arm_id, task, context_tokens, depth, state, cells, NULL AS cell_key FROM counted
    WHERE task_kind = 'needle' AND origin = 'grid' AND state <> 'measured'
    UNION ALL
    SELECT sweep_id, arm_id, task, context_tokens, depth, state, 1, cell_key FROM added
    WHERE task_kind = 'needle' AND origin = 'grid' AND state = 'measured'
  ), changes AS (
    SELECT c.sweep_id, c.arm_id, c.task, c.context_tokens, c.depth,
           coalesce(sum(cells) FILTER (WHERE state = 'planned'), 0) AS planned,
           coalesce(sum(cells) FILTER (WHERE state = 'measured'), 0) AS measured,
           coalesce(sum(cells) FILTER (WHERE state = 'diverged'), 0) AS diverged,
           coalesce(sum(cells) FILTER (WHERE state = 'infeasible'), 0) AS infeasible,
           coalesce(sum(cells) FILTER (WHERE state = 'failed'), 0) AS failed,
           coalesce(sum(n.exact_match::int), 0) AS exact_matches,
           coalesce(sum((n.string_recall = 1)::int), 0) AS string_matches,
           count(n.entropy) AS entropy_cells,
           coalesce(sum(n.token_recall::numeric), 0) AS token_recall,
           coalesce(sum(n.string_recall::numeric), 0) AS string_recall,
           coalesce(sum(n.entropy::numeric), 0) AS entropy,
           coalesce(sum(n.entropy_first::numeric), 0) AS entropy_first,
           coalesce(sum(n.entropy_first::numeric) FILTER (WHERE n.exact_match), 0) AS entropy_first_of_exact_matches,
           coalesce(sum(n.entropy_first::numeric) FILTER (WHERE n.string_recall = 1), 0) AS entropy_first_of_string_matches,
           coalesce(sum((n.sum_nll / n.token_count)::numeric), 0) AS nll_per_token,
           coalesce(sum(n.needle_mass::numeric), 0) AS needle_mass
    FROM pieces c
    LEFT JOIN LATERAL (SELECT * FROM needle_results r WHERE r.cell_key = c.cell_key OFFSET 0) AS n ON true
    GROUP BY c.sweep_id, c.arm_id, c.task, c.context_tokens, c.depth
  )
  INSERT INTO needle_squares AS s (
    sweep_id, arm_id, task, context_tokens, depth, planned, measured, diverged, infeasible, failed, exact_matches, string_matches,
    entropy_cells, token_recall, string_recall, entropy, entropy_first, entropy_first_of_exact_matches, entropy_first_of_string_matches,
    nll_per_token, needle_mass)
  SELECT * FROM changes
  ORDER BY sweep_id, arm_id, task, context_tokens, depth
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
END $$;
