-- What a hand on the wheel sets, what workers are doing, and every attempt at a shard.

ALTER TABLE sweeps
  ADD COLUMN reason TEXT,
  ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 16,
  ADD COLUMN priority INTEGER NOT NULL DEFAULT 3;

ALTER TABLE shards
  ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN loads INTEGER NOT NULL DEFAULT 0;

ALTER TABLE workers
  ADD COLUMN state TEXT NOT NULL DEFAULT 'ready',
  ADD COLUMN reason TEXT,
  ADD COLUMN loaded TEXT[],
  ADD COLUMN memory_bytes BIGINT,
  ADD COLUMN version TEXT NOT NULL DEFAULT '',
  ADD COLUMN queue TEXT NOT NULL DEFAULT '';

CREATE TABLE shard_attempts (
    shard_id TEXT NOT NULL,
    lease INTEGER NOT NULL,
    worker TEXT NOT NULL,
    device_class TEXT NOT NULL,
    leased_at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ended_at TIMESTAMPTZ(3),
    code TEXT,
    reason TEXT,

    CONSTRAINT shard_attempts_pkey PRIMARY KEY (shard_id, lease),
    CONSTRAINT shard_attempts_shard_id_fkey FOREIGN KEY (shard_id) REFERENCES shards (id) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX shard_attempts_worker_leased_at_idx ON shard_attempts (worker, leased_at);

-- Views: columns are added at the end, never renamed.
CREATE OR REPLACE VIEW reporting.workers AS
SELECT id AS worker, host, pid, device_class, slots, fingerprint, self_test, started_at, heartbeat_at, state, reason, loaded, memory_bytes, version
FROM workers;

CREATE VIEW reporting.attempts AS
SELECT h.sweep_id AS sweep, t.shard_id AS shard, a.label AS arm, t.lease, t.worker, t.device_class, t.leased_at, t.ended_at, t.code, t.reason
FROM shard_attempts t
JOIN shards h ON h.id = t.shard_id
JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id;
COMMENT ON VIEW reporting.attempts IS 'One row per attempt at a shard: ended_at is null while it lasts, code is null where it went well.';
