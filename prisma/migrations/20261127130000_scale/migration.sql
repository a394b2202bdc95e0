-- Sweeps of a million cells: one index fewer on memberships, no trigger a row when they are inserted, and room on their
-- pages for the one change that each of them sees.

-- Found by key in whatever sweep; within a sweep by arm or by shard.
ALTER TABLE memberships DROP CONSTRAINT memberships_pkey;
DROP INDEX memberships_cell_key_idx;
ALTER TABLE memberships ADD CONSTRAINT memberships_pkey PRIMARY KEY (cell_key, sweep_id, arm_id);

-- A cell that gets its state changes no indexed column: with room on its page no index is written (HOT).
ALTER TABLE memberships SET (fillfactor = 50);

-- Foreign keys are looked up once a row; that members have arms and shards is sure by how they are inserted. What they did
-- when an arm or a shard went is done here, once a statement.
ALTER TABLE memberships DROP CONSTRAINT memberships_sweep_id_arm_id_fkey, DROP CONSTRAINT memberships_shard_id_fkey;

CREATE FUNCTION remove_memberships_of_arms() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM memberships m USING removed r WHERE m.sweep_id = r.sweep_id AND m.arm_id = r.arm_id;
  RETURN NULL;
END $$;

CREATE FUNCTION forget_shards_of_memberships() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Where the whole sweep goes its memberships go too.
  UPDATE memberships m SET shard_id = NULL FROM removed r
  WHERE m.shard_id = r.id AND EXISTS (SELECT FROM sweeps s WHERE s.id = r.sweep_id);
  RETURN NULL;
END $$;

CREATE TRIGGER arms_removed AFTER DELETE ON arms
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION remove_memberships_of_arms();
CREATE TRIGGER shards_removed AFTER DELETE ON shards
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION forget_shards_of_memberships();
