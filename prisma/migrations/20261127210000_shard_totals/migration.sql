-- How far a sweep is, without reading its shards: what was planned and what ended is summed by arm as it happens.

CREATE TABLE "shard_totals" (
    "sweep_id" TEXT NOT NULL,
    "arm_id" TEXT NOT NULL,
    "device_class" TEXT NOT NULL,
    "state" "shard_state" NOT NULL,
    "shards" INTEGER NOT NULL,
    "recoveries" INTEGER NOT NULL,
    "loads" INTEGER NOT NULL,
    "flops" DECIMAL(65,30) NOT NULL,
    "prompt_tokens" BIGINT NOT NULL,

    CONSTRAINT "shard_totals_pkey" PRIMARY KEY ("sweep_id","arm_id","device_class","state")
) WITH (fillfactor = 50);

ALTER TABLE "shard_totals" ADD CONSTRAINT "shard_totals_sweep_id_arm_id_fkey" FOREIGN KEY ("sweep_id", "arm_id") REFERENCES "arms"("sweep_id", "arm_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- The dearest shard that waits, and those that wait again. A shard that is leased or ends writes nothing here.
CREATE INDEX "shards_sweep_id_attempts_cost_flops_idx" ON "shards"("sweep_id", "attempts", "cost_flops") WHERE (state = 'planned');

-- A shard counts as planned for as long as it exists, whatever becomes of it, and in the state in which it ended. So a lease moves
-- nothing, and leases of an arm do not wait for each other. Whoever ends a shard comes here last: after its row in sweep_progress.
-- Decimal sums are exact in any order. Three functions that differ in which shards changed.
DO $migration$
DECLARE
  kind record;
BEGIN
  FOR kind IN SELECT * FROM (VALUES
    ('add_shard_totals', 'SELECT *, 1 AS step FROM added'),
    ('move_shard_totals', 'SELECT *, -1 AS step FROM before UNION ALL SELECT *, 1 FROM after'),
    -- Of an arm that goes too the totals are gone already, or go with it.
    ('subtract_shard_totals', 'SELECT *, -1 AS step FROM removed r WHERE EXISTS (SELECT FROM arms a WHERE a.sweep_id = r.sweep_id AND a.arm_id = r.arm_id)')
  ) AS kinds(name, moved) LOOP
    EXECUTE format($create$
CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  INSERT INTO shard_totals AS t (sweep_id, arm_id, device_class, state, shards, recoveries, loads, flops, prompt_tokens)
  SELECT * FROM (
    SELECT h.sweep_id, h.arm_id, h.device_class, c.state, sum(h.step) AS shards, sum(h.step * c.recoveries) AS recoveries, sum(h.step * c.loads) AS loads,
           sum(h.step * h.cost_flops::numeric) AS flops, sum(h.step * h.cost_prompt_tokens) AS prompt_tokens
    FROM (%s) AS h
    CROSS JOIN LATERAL (VALUES
      ('planned'::shard_state, 0, 0),
      (CASE WHEN h.state IN ('done', 'failed', 'superseded') THEN h.state END, greatest(h.attempts - 1, 0), h.loads)
    ) AS c(state, recoveries, loads)
    WHERE c.state IS NOT NULL
    GROUP BY h.sweep_id, h.arm_id, h.device_class, c.state
  ) AS changes
  WHERE shards <> 0 OR recoveries <> 0 OR loads <> 0 OR flops <> 0 OR prompt_tokens <> 0
  ORDER BY sweep_id, arm_id, device_class, state
  ON CONFLICT (sweep_id, arm_id, device_class, state) DO UPDATE SET
    shards = t.shards + excluded.shards,
    recoveries = t.recoveries + excluded.recoveries,
    loads = t.loads + excluded.loads,
    flops = t.flops + excluded.flops,
    prompt_tokens = t.prompt_tokens + excluded.prompt_tokens;
  RETURN NULL;
END $body$
$create$, kind.name, kind.moved);
  END LOOP;
END $migration$;

CREATE TRIGGER shards_added_to_totals AFTER INSERT ON shards
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_shard_totals();
CREATE TRIGGER shards_moved_in_totals AFTER UPDATE ON shards
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION move_shard_totals();
CREATE TRIGGER shards_removed_from_totals AFTER DELETE ON shards
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION subtract_shard_totals();

-- What is there already.
INSERT INTO shard_totals (sweep_id, arm_id, device_class, state, shards, recoveries, loads, flops, prompt_tokens)
SELECT sweep_id, arm_id, device_class, c.state, count(*), sum(c.recoveries), sum(c.loads), sum(cost_flops::numeric), sum(cost_prompt_tokens)
FROM shards h
CROSS JOIN LATERAL (VALUES
  ('planned'::shard_state, 0, 0),
  (CASE WHEN h.state IN ('done', 'failed', 'superseded') THEN h.state END, greatest(h.attempts - 1, 0), h.loads)
) AS c(state, recoveries, loads)
WHERE c.state IS NOT NULL
GROUP BY sweep_id, arm_id, device_class, c.state;
