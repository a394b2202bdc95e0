/** Fleet: workers and what they hold, queues and what waits in them. */
import { dashboard, type ClassicDashboard } from './dashboard.js';
import { numbered } from './palette.js';
import { column, moment, overTime, stat, table, text } from './panel.js';

export const FLEET = { uid: 'ropesweep-fleet', panels: { workers: 2, memory: 3, backlog: 4, store: 10 } } as const;

/** As results/situation.ts: a worker whose heartbeat is older is taken for gone. */
export const SILENT_SECONDS = 40;

const SLOTS = `SELECT count(*) AS "Workers", count(*) FILTER (WHERE heartbeat_age_seconds > ${SILENT_SECONDS}) AS "Silent",
       coalesce(sum(slots) FILTER (WHERE heartbeat_age_seconds <= ${SILENT_SECONDS}), 0) AS "Slots",
       coalesce(sum(busy_slots) FILTER (WHERE heartbeat_age_seconds <= ${SILENT_SECONDS}), 0) AS "Slots used"
FROM reporting.workers`;

const WORKERS = `SELECT worker AS "Worker", CASE WHEN heartbeat_age_seconds > ${SILENT_SECONDS} THEN 'silent' ELSE state END AS "State", reason AS "Reason",
       device_class AS "Device class", slots AS "Slots", busy_slots AS "Used", array_to_string(checkpoints, ', ') AS "Loaded checkpoints",
       heartbeat_age_seconds AS "Last heartbeat", memory_bytes AS "Memory", self_test AS "Self-test", version AS "Version", fingerprint AS "Device", started_at AS "Started"
FROM reporting.workers
ORDER BY heartbeat_age_seconds > ${SILENT_SECONDS} DESC, host, started_at, worker`;

const MEMORY = `SELECT worker AS "Worker", predicted_peak_bytes AS "Predicted peak", memory_bytes AS "Memory", predicted_peak_bytes / memory_bytes AS "Share"
FROM reporting.workers
WHERE memory_bytes IS NOT NULL
ORDER BY 4 DESC, 1`;

const sampled = (value: string): string => `SELECT $__timeGroupAlias(sampled_at, $__interval), ${numbered('dense_rank() OVER (ORDER BY queue, kind)', `queue || ', ' || kind`)} AS metric, ${value} AS value
FROM reporting.queue_samples
WHERE $__timeFilter(sampled_at)
GROUP BY 1, queue, kind
ORDER BY 1, 2`;

const FLOW = `SELECT "time", ${numbered('dense_rank() OVER (ORDER BY queue, kind, s.flow)', `queue || ', ' || kind || ': ' || s.flow`)} AS metric, s.value
FROM (
  SELECT $__timeGroupAlias(sampled_at, $__interval), queue, kind, avg(added_per_second) AS added, avg(dispatched_per_second) AS dispatched
  FROM reporting.queue_samples
  WHERE $__timeFilter(sampled_at)
  GROUP BY 1, queue, kind
) AS grouped
CROSS JOIN LATERAL (VALUES ('added', added), ('handed out', dispatched)) AS s(flow, value)
ORDER BY 1, 2`;

const ATTEMPTS = `SELECT $__timeGroupAlias(ended_at, $__interval), ${numbered('dense_rank() OVER (ORDER BY code NULLS FIRST)', `coalesce(code, 'went well')`)} AS metric, count(*) AS value
FROM reporting.attempts
WHERE $__timeFilter(ended_at)
GROUP BY 1, code
ORDER BY 1, 2`;

const RECOVERIES = `SELECT worker AS "Worker", count(*) AS "Attempts", count(*) FILTER (WHERE lease > 1) AS "Of them retries", count(*) FILTER (WHERE code IS NOT NULL) AS "Failed",
       count(*) FILTER (WHERE code IS NOT NULL)::float8 / count(*) AS "Share failed", max(leased_at) AS "Latest"
FROM reporting.attempts
WHERE $__timeFilter(ended_at)
GROUP BY worker
ORDER BY 4 DESC, 2 DESC, 1
LIMIT 100`;

const STORE = `SELECT bytes AS "Database", limit_bytes AS "Limit", bytes / limit_bytes AS "Share of the limit" FROM reporting.store`;

export const fleetDashboard = (): ClassicDashboard =>
  dashboard({
    uid: FLEET.uid,
    title: 'fleet',
    description: 'Workers, what they hold and how they fare; task queues and what waits in them.',
    from: 'now-6h',
    variables: [],
    panels: [
      stat(
        { id: 1, title: 'Workers and slots', unit: 'none', width: 24, height: 4,
          description: `Registered workers. Silent: no heartbeat for ${SILENT_SECONDS} s, taken for gone; their slots are not counted. Slots used: shards that workers hold.` },
        SLOTS,
      ),
      table(
        { id: FLEET.panels.workers, title: 'Workers: devices, slots, loaded checkpoints, heartbeats, versions', unit: 'none', empty: 'no worker is registered', width: 24, height: 9,
          description: 'One row a worker process; silent ones first. Workers heartbeat every 10 s and leave when they end; one that was killed stays as silent until its host registers again. Aside: it failed too often and takes no work, with the reason.' },
        WORKERS,
      )
        .overrideByRegexp('/^(Worker|Reason|Loaded checkpoints|Device)$/', text(180))
        .overrideByName('Last heartbeat', column('s', 0))
        .overrideByName('Memory', column('bytes'))
        .overrideByName('Started', moment),
      table(
        { id: FLEET.panels.memory, title: 'Memory that running shards are predicted to take', unit: 'none', empty: 'no worker tells its memory', width: 12, height: 8,
          description: 'Sum of the predicted peaks of the shards that a worker holds, and the memory of its device or node. Predicted by the memory model, not measured; workers on a GPU tell no memory and are left out.' },
        MEMORY,
      ).overrideByRegexp('/^(Predicted peak|Memory)$/', column('bytes')).overrideByName('Share', column('percentunit', 0)),
      overTime(
        { id: FLEET.panels.backlog, title: 'Tasks that wait in each queue', unit: 'none', width: 12, height: 8,
          description: 'Backlog as Temporal estimates it, sampled every 30 s while a control worker lives; the most in each interval. The window of each sweep bounds it: shards beyond it wait in the store.' },
        sampled('max(backlog)'),
      ),
      overTime(
        { id: 5, title: 'Age of the oldest waiting task of each queue', unit: 's', width: 12, height: 8,
          description: 'The longest that a task has waited to be taken, from its schedule to now: a task that starts now has waited so long at most. Sampled every 30 s; 0 while nothing waits. Schedule-to-start of single shards is not stored and not shown.' },
        sampled('max(backlog_age_seconds)'),
      ),
      overTime(
        { id: 6, title: 'Tasks added to and handed out of each queue, a second', unit: 'cps', width: 12, height: 8,
          description: 'Rates as Temporal estimates them over its last half minute, averaged. More added than handed out: the backlog grows.' },
        FLOW,
      ),
      overTime(
        { id: 7, title: 'Pollers of each queue', unit: 'none', width: 12, height: 8,
          description: 'Processes that asked the queue for work within the last minutes; 0 with a backlog means that nobody will take it.' },
        sampled('min(pollers)'),
      ),
      overTime(
        { id: 8, title: 'Attempts at shards that ended, by how', unit: 'none', width: 12, height: 8,
          description: 'Attempts by the time of their end: went well, or the code of the error (docs/errors.md) after which the shard was tried again or quarantined.' },
        ATTEMPTS,
      ),
      table(
        { id: 9, title: 'Attempts, retries and failures of each worker', unit: 'none', empty: 'no attempt in this time', width: 24, height: 8,
          description: 'Attempts that ended in the shown time. Retries: attempts at shards that somebody had before. The 100 workers with the most failures.' },
        RECOVERIES,
      ).overrideByName('Share failed', column('percentunit', 1)).overrideByName('Latest', moment),
      stat(
        { id: FLEET.panels.store, title: 'Size of the database', unit: 'bytes', width: 24, height: 4,
          description: 'Tables, indexes and catalog of the store. `ropesweep db size` says what takes it, `ropesweep db prune` removes what no sweep needs. The limit is yours to set: ALTER DATABASE ... SET ropesweep.size_limit = \'500 GB\'; without it no alert fires.' },
        STORE,
      ).overrideByName('Share of the limit', column('percentunit', 1)),
    ],
  });
