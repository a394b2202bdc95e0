/**
 * Alert rules: what a person should look at. Each leads to a panel and to a runbook (docs/grafana.md).
 *
 * Each query gives one number a row and labels that are unique among its rows, and fires where the number is above the rule's
 * limit. Grafana expands neither its macros' `$$` nor the environment in the queries of provisioned rules, so none has a `$`.
 */
import { FAILURES } from './failures.js';
import { FLEET, SILENT_SECONDS } from './fleet.js';
import { OVERVIEW } from './overview.js';

export interface Alert {
  /** Also the anchor of the runbook in docs/grafana.md. */
  readonly name: string;
  readonly title: string;
  /** Go template over the labels of a row. */
  readonly summary: string;
  readonly sql: string;
  /** Fires above it. */
  readonly limit: number;
  /** For how long, before anybody is told. */
  readonly pending: string;
  readonly severity: 'warning' | 'critical';
  readonly panel: { readonly uid: string; readonly id: number };
}

/** A sweep whose cells take longer is not stalled: they may be set aside by the longest of its running shards so far. */
const STALLED_MINUTES = 30;
const FAILED_SHARE = 0.1;
/** A worker that is silent for longer was stopped by somebody who knows. */
const LOST_MINUTES = 60;

export const ALERTS: readonly Alert[] = [
  {
    name: 'sweep-stalled',
    title: 'A sweep is stalled',
    summary: 'Sweep {{ .Labels.sweep }} is running and no cell of it has ended for half an hour.',
    sql: `SELECT s.sweep AS sweep,
       extract(epoch FROM now() - greatest(s.updated_at, (SELECT max(minute) + interval '1 minute' FROM reporting.progress_minutes p WHERE p.sweep = s.sweep))) / 60 AS minutes
FROM reporting.sweeps s
WHERE s.state = 'running' AND s.planned_cells > 0`,
    limit: STALLED_MINUTES,
    pending: '5m',
    severity: 'critical',
    panel: { uid: OVERVIEW.uid, id: OVERVIEW.panels.pace },
  },
  {
    name: 'failure-share',
    title: 'Many cells of a sweep fail',
    summary: 'More than a tenth of the cells of sweep {{ .Labels.sweep }} that ended were quarantined.',
    sql: `SELECT sweep, failed_cells::float8 / nullif(total_cells - planned_cells, 0) AS share
FROM reporting.sweeps
WHERE state = 'running' AND total_cells - planned_cells >= 20`,
    limit: FAILED_SHARE,
    pending: '2m',
    severity: 'warning',
    panel: { uid: FAILURES.uid, id: FAILURES.panels.reasons },
  },
  {
    name: 'worker-lost',
    title: 'A worker is lost',
    summary: 'Worker {{ .Labels.worker }} has sent no heartbeat for more than 40 s and did not leave.',
    sql: `SELECT worker, heartbeat_age_seconds AS seconds
FROM reporting.workers
WHERE heartbeat_age_seconds < ${LOST_MINUTES * 60}`,
    limit: SILENT_SECONDS,
    pending: '1m',
    severity: 'warning',
    panel: { uid: FLEET.uid, id: FLEET.panels.workers },
  },
  {
    name: 'backlog-without-workers',
    title: 'Work waits and nobody takes it',
    summary: 'Tasks wait in queue {{ .Labels.queue }} ({{ .Labels.kind }}), and no worker has asked for work.',
    sql: `SELECT queue, kind, CASE WHEN pollers = 0 THEN backlog ELSE 0 END AS tasks
FROM (
  SELECT DISTINCT ON (queue, kind) queue, kind, backlog, pollers FROM reporting.queue_samples
  WHERE sampled_at > now() - interval '5 minutes' ORDER BY queue, kind, sampled_at DESC
) AS latest`,
    limit: 0,
    pending: '5m',
    severity: 'critical',
    panel: { uid: FLEET.uid, id: FLEET.panels.backlog },
  },
  {
    name: 'disk',
    title: 'The database is nearly as large as it may be',
    summary: 'The database has passed nine tenths of ropesweep.size_limit.',
    sql: `SELECT 'store' AS store, bytes / limit_bytes AS share
FROM reporting.store
WHERE limit_bytes IS NOT NULL`,
    limit: 0.9,
    pending: '5m',
    severity: 'critical',
    panel: { uid: FLEET.uid, id: FLEET.panels.store },
  },
  {
    name: 'memory',
    title: 'A worker runs out of memory',
    summary: 'Shards on {{ .Labels.worker }} have ended for lack of memory in the last quarter of an hour.',
    sql: `SELECT worker, count(*) AS attempts
FROM reporting.attempts
WHERE ended_at > now() - interval '15 minutes' AND code = 'OUT_OF_MEMORY'
GROUP BY worker
UNION ALL
SELECT worker, 0 FROM reporting.workers w
WHERE NOT EXISTS (
  SELECT FROM reporting.attempts t
  WHERE t.worker = w.worker AND t.ended_at > now() - interval '15 minutes' AND t.code = 'OUT_OF_MEMORY')`,
    limit: 0,
    pending: '0s',
    severity: 'warning',
    panel: { uid: FLEET.uid, id: FLEET.panels.memory },
  },
];
