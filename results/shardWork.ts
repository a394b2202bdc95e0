/**
 * How much of a sweep's shards is done, from their totals and the few that are begun: it costs the same however many there are.
 */
import { Prisma } from './generated/client.js';

/** Done by the tokens of the cells that have ended: within a shard a cell costs about what its tokens do. */
export const SHARE = Prisma.sql`coalesce(sum(context_tokens) FILTER (WHERE state <> 'planned')::float8 / sum(context_tokens), 0)`;

/**
 * A subquery: a row for each arm, device class and state that has shards. `done_flops` and `done_tokens` are what their cells that
 * have ended cost, `open_cells` those of leased shards that have not. What ended or is leased is planned no longer; superseded
 * shards have done nothing, for others have their cells.
 *
 * @param sweep SQL of the sweep's id; the subquery is LATERAL where that is a column
 */
export const shardWork = (sweep: Prisma.Sql): Prisma.Sql => Prisma.sql`(
  WITH totals AS (
    SELECT * FROM shard_totals WHERE sweep_id = ${sweep}
  ), begun AS MATERIALIZED (
    SELECT h.arm_id, h.device_class, h.state, h.attempts, h.loads, h.cost_flops, h.cost_prompt_tokens, m.share, m.open_cells
    FROM (
      SELECT * FROM shards WHERE sweep_id = ${sweep} AND state = 'leased'
      UNION ALL
      SELECT * FROM shards WHERE sweep_id = ${sweep} AND state = 'planned' AND attempts > 0
    ) AS h
    CROSS JOIN LATERAL (SELECT ${SHARE} AS share, count(*) FILTER (WHERE state = 'planned') AS open_cells FROM memberships WHERE shard_id = h.id) AS m
  ), parts AS (
    SELECT arm_id, device_class, state, shards, recoveries, loads, flops, prompt_tokens::numeric AS tokens,
           CASE WHEN state IN ('done', 'failed') THEN flops::float8 ELSE 0 END AS done_flops,
           CASE WHEN state IN ('done', 'failed') THEN prompt_tokens::float8 ELSE 0 END AS done_tokens, 0 AS open_cells
    FROM totals
    UNION ALL
    SELECT arm_id, device_class, 'planned', -shards, 0, 0, -flops, -prompt_tokens, 0, 0, 0 FROM totals WHERE state <> 'planned'
    UNION ALL
    SELECT arm_id, device_class, 'planned', -1, 0, 0, -cost_flops::numeric, -cost_prompt_tokens, 0, 0, 0 FROM begun WHERE state = 'leased'
    UNION ALL
    SELECT arm_id, device_class, 'leased', 1, 0, 0, cost_flops::numeric, cost_prompt_tokens, 0, 0, open_cells FROM begun WHERE state = 'leased'
    UNION ALL
    SELECT arm_id, device_class, state, 0, attempts - 1, loads, 0, 0, share * cost_flops, share * cost_prompt_tokens, 0 FROM begun
  )
  SELECT arm_id, device_class, state, sum(shards)::int AS shards, sum(recoveries)::int AS recoveries, sum(loads)::int AS loads,
         sum(flops)::float8 AS flops, sum(tokens)::float8 AS tokens, sum(done_flops) AS done_flops, sum(done_tokens) AS done_tokens,
         sum(open_cells)::int AS open_cells
  FROM parts
  GROUP BY arm_id, device_class, state
  HAVING sum(shards) > 0
)`;
