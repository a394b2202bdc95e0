-- What a live view asks for every second, made cheap: cells of an arm by state, shards by their end, outcomes by their time.

CREATE TABLE "arm_progress" (
    "sweep_id" TEXT NOT NULL,
    "arm_id" TEXT NOT NULL,
    "planned" INTEGER NOT NULL DEFAULT 0,
    "measured" INTEGER NOT NULL DEFAULT 0,
    "diverged" INTEGER NOT NULL DEFAULT 0,
    "infeasible" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "arm_progress_pkey" PRIMARY KEY ("sweep_id","arm_id")
);

ALTER TABLE "arm_progress" ADD CONSTRAINT "arm_progress_sweep_id_arm_id_fkey" FOREIGN KEY ("sweep_id", "arm_id") REFERENCES "arms"("sweep_id", "arm_id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE INDEX "shards_sweep_id_ended_at_idx" ON "shards"("sweep_id", "ended_at");

CREATE INDEX "outcomes_at_idx" ON "outcomes"("at");

INSERT INTO arm_progress (sweep_id, arm_id, planned, measured, diverged, infeasible, failed)
SELECT sweep_id, arm_id,
       count(*) FILTER (WHERE state = 'planned'),
       count(*) FILTER (WHERE state = 'measured'),
       count(*) FILTER (WHERE state = 'diverged'),
       count(*) FILTER (WHERE state = 'infeasible'),
       count(*) FILTER (WHERE state = 'failed')
FROM memberships
GROUP BY sweep_id, arm_id;

-- Like sweep_progress. A statement has locked the row of its sweep there before it comes here, so that rows of one sweep
-- are never waited for in a circle.

CREATE FUNCTION add_arm_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO arm_progress AS progress (sweep_id, arm_id, planned, measured, diverged, infeasible, failed)
  SELECT sweep_id, arm_id,
         count(*) FILTER (WHERE state = 'planned'),
         count(*) FILTER (WHERE state = 'measured'),
         count(*) FILTER (WHERE state = 'diverged'),
         count(*) FILTER (WHERE state = 'infeasible'),
         count(*) FILTER (WHERE state = 'failed')
  FROM added
  GROUP BY sweep_id, arm_id
  ORDER BY sweep_id, arm_id
  ON CONFLICT (sweep_id, arm_id) DO UPDATE SET
    planned = progress.planned + excluded.planned,
    measured = progress.measured + excluded.measured,
    diverged = progress.diverged + excluded.diverged,
    infeasible = progress.infeasible + excluded.infeasible,
    failed = progress.failed + excluded.failed;
  RETURN NULL;
END $$;

CREATE FUNCTION move_arm_progress() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  change record;
BEGIN
  FOR change IN
    SELECT sweep_id, arm_id,
           sum(step) FILTER (WHERE state = 'planned') AS planned,
           sum(step) FILTER (WHERE state = 'measured') AS measured,
           sum(step) FILTER (WHERE state = 'diverged') AS diverged,
           sum(step) FILTER (WHERE state = 'infeasible') AS infeasible,
           sum(step) FILTER (WHERE state = 'failed') AS failed
    FROM (SELECT sweep_id, arm_id, state, -1 AS step FROM before UNION ALL SELECT sweep_id, arm_id, state, 1 FROM after) AS moved
    GROUP BY sweep_id, arm_id
    ORDER BY sweep_id, arm_id
  LOOP
    UPDATE arm_progress AS progress SET
      planned = progress.planned + coalesce(change.planned, 0),
      measured = progress.measured + coalesce(change.measured, 0),
      diverged = progress.diverged + coalesce(change.diverged, 0),
      infeasible = progress.infeasible + coalesce(change.infeasible, 0),
      failed = progress.failed + coalesce(change.failed, 0)
    WHERE progress.sweep_id = change.sweep_id AND progress.arm_id = change.arm_id
      AND (change.planned <> 0 OR change.measured <> 0 OR change.diverged <> 0 OR change.infeasible <> 0 OR change.failed <> 0);
  END LOOP;
  RETURN NULL;
END $$;

CREATE FUNCTION subtract_arm_progress() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  gone record;
BEGIN
  FOR gone IN
    SELECT sweep_id, arm_id,
           count(*) FILTER (WHERE state = 'planned') AS planned,
           count(*) FILTER (WHERE state = 'measured') AS measured,
           count(*) FILTER (WHERE state = 'diverged') AS diverged,
           count(*) FILTER (WHERE state = 'infeasible') AS infeasible,
           count(*) FILTER (WHERE state = 'failed') AS failed
    FROM removed
    GROUP BY sweep_id, arm_id
    ORDER BY sweep_id, arm_id
  LOOP
    UPDATE arm_progress AS progress SET
      planned = progress.planned - gone.planned,
      measured = progress.measured - gone.measured,
      diverged = progress.diverged - gone.diverged,
      infeasible = progress.infeasible - gone.infeasible,
      failed = progress.failed - gone.failed
    WHERE progress.sweep_id = gone.sweep_id AND progress.arm_id = gone.arm_id;
  END LOOP;
  RETURN NULL;
END $$;

-- Triggers of one event fire in the order of their names: these after those of sweep_progress.
CREATE TRIGGER memberships_added_to_arm AFTER INSERT ON memberships
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_arm_progress();
CREATE TRIGGER memberships_moved_in_arm AFTER UPDATE ON memberships
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION move_arm_progress();
CREATE TRIGGER memberships_removed_from_arm AFTER DELETE ON memberships
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION subtract_arm_progress();
