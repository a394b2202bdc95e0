-- Scores are a function of the raw numbers of a row: a newer scorer scores stored rows again, and nothing else may change.

ALTER TABLE needle_results ADD COLUMN answers TEXT[];

-- Rows of older scorers are found at once where there are none.
CREATE INDEX measurements_scorer_version_idx ON measurements (scorer_version);

-- Everything else of these rows is immutable as before.
CREATE FUNCTION admit_newer_scorer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.scorer_version > OLD.scorer_version THEN
    OLD.scorer_version := NEW.scorer_version;
    IF OLD IS NOT DISTINCT FROM NEW THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME;
END $$;

CREATE FUNCTION admit_newer_scores() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  OLD.exact_match := NEW.exact_match;
  OLD.token_recall := NEW.token_recall;
  OLD.string_recall := NEW.string_recall;
  OLD.sum_nll := NEW.sum_nll;
  OLD.token_count := NEW.token_count;
  -- Only together with the version: the same transaction has raised it before.
  IF OLD IS NOT DISTINCT FROM NEW
    AND EXISTS (SELECT FROM measurements x WHERE x.cell_key = NEW.cell_key AND x.xmin = pg_current_xact_id()::xid) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME;
END $$;

DROP TRIGGER measurements_immutable ON measurements;
DROP TRIGGER needle_results_immutable ON needle_results;
CREATE TRIGGER measurements_immutable BEFORE UPDATE ON measurements
  FOR EACH ROW EXECUTE FUNCTION admit_newer_scorer();
CREATE TRIGGER needle_results_immutable BEFORE UPDATE ON needle_results
  FOR EACH ROW EXECUTE FUNCTION admit_newer_scores();
