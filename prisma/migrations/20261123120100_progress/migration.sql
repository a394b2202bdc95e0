-- sweep_progress is kept by statement triggers, so that it is exact whoever changes memberships.
-- Sweeps are touched in the order of their ids: two statements that change the same sweeps never wait for each other
-- in a circle.

CREATE FUNCTION add_sweep_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO sweep_progress AS progress (sweep_id, planned, measured, diverged, infeasible, failed)
  SELECT sweep_id,
         count(*) FILTER (WHERE state = 'planned'),
         count(*) FILTER (WHERE state = 'measured'),
         count(*) FILTER (WHERE state = 'diverged'),
         count(*) FILTER (WHERE state = 'infeasible'),
         count(*) FILTER (WHERE state = 'failed')
  FROM added
  GROUP BY sweep_id
  ORDER BY sweep_id
  ON CONFLICT (sweep_id) DO UPDATE SET
    planned = progress.planned + excluded.planned,
    measured = progress.measured + excluded.measured,
    diverged = progress.diverged + excluded.diverged,
    infeasible = progress.infeasible + excluded.infeasible,
    failed = progress.failed + excluded.failed;
  RETURN NULL;
END $$;

CREATE FUNCTION move_sweep_progress() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  change record;
BEGIN
  FOR change IN
    SELECT sweep_id,
           sum(step) FILTER (WHERE state = 'planned') AS planned,
           sum(step) FILTER (WHERE state = 'measured') AS measured,
           sum(step) FILTER (WHERE state = 'diverged') AS diverged,
           sum(step) FILTER (WHERE state = 'infeasible') AS infeasible,
           sum(step) FILTER (WHERE state = 'failed') AS failed
    FROM (SELECT sweep_id, state, -1 AS step FROM before UNION ALL SELECT sweep_id, state, 1 FROM after) AS moved
    GROUP BY sweep_id
    ORDER BY sweep_id
  LOOP
    -- A statement that moves no cell to another state leaves the row alone.
    UPDATE sweep_progress AS progress SET
      planned = progress.planned + coalesce(change.planned, 0),
      measured = progress.measured + coalesce(change.measured, 0),
      diverged = progress.diverged + coalesce(change.diverged, 0),
      infeasible = progress.infeasible + coalesce(change.infeasible, 0),
      failed = progress.failed + coalesce(change.failed, 0)
    WHERE progress.sweep_id = change.sweep_id
      AND (change.planned <> 0 OR change.measured <> 0 OR change.diverged <> 0 OR change.infeasible <> 0 OR change.failed <> 0);
  END LOOP;
  RETURN NULL;
END $$;

CREATE FUNCTION subtract_sweep_progress() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  gone record;
BEGIN
  FOR gone IN
    SELECT sweep_id,
           count(*) FILTER (WHERE state = 'planned') AS planned,
           count(*) FILTER (WHERE state = 'measured') AS measured,
           count(*) FILTER (WHERE state = 'diverged') AS diverged,
           count(*) FILTER (WHERE state = 'infeasible') AS infeasible,
           count(*) FILTER (WHERE state = 'failed') AS failed
    FROM removed
    GROUP BY sweep_id
    ORDER BY sweep_id
  LOOP
    UPDATE sweep_progress AS progress SET
      planned = progress.planned - gone.planned,
      measured = progress.measured - gone.measured,
      diverged = progress.diverged - gone.diverged,
      infeasible = progress.infeasible - gone.infeasible,
      failed = progress.failed - gone.failed
    WHERE progress.sweep_id = gone.sweep_id;
  END LOOP;
  RETURN NULL;
END $$;

CREATE TRIGGER memberships_added AFTER INSERT ON memberships
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION add_sweep_progress();
CREATE TRIGGER memberships_moved AFTER UPDATE ON memberships
  REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION move_sweep_progress();
CREATE TRIGGER memberships_removed AFTER DELETE ON memberships
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION subtract_sweep_progress();

-- Measurements are immutable: what was measured first stands.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME;
END $$;

CREATE TRIGGER measurements_immutable BEFORE UPDATE ON measurements
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER needle_results_immutable BEFORE UPDATE ON needle_results
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
