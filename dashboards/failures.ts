/** Failures and quarantine: which cells have no numbers, why, and where to look further. */
import { dashboard, type ClassicDashboard } from './dashboard.js';
import { numbered } from './palette.js';
import { arms, column, hidden, link, moment, overTime, table, text } from './panel.js';
import { quoted } from './sqlTarget.js';
import { sweepVariable, temporalUiVariables } from './variables.js';

export const FAILURES = { uid: 'ropesweep-failures', panels: { reasons: 1 } } as const;

/** Rows that a table shows at most. */
const ROWS = 500;

/** Workflow id of a shard as it stands in an address (domain/orchestration.ts, shardWorkflowId). */
const WORKFLOW = `'sweep%2F' || replace(replace(sweep, '%', '%25'), '/', '%2F') || '%2Fshard%2F' || left(shard, 16)`;

const toWorkflow = link('Workflow in the Temporal UI', '${temporal_ui}/namespaces/${temporal_namespace}/workflows/${__data.fields.workflow}');

const REASONS = `SELECT state AS "State", code AS "Code", count(*) AS "Cells", count(DISTINCT arm) AS "Arms", min(context_tokens) AS "Shortest context", max(context_tokens) AS "Longest context",
       max(at) AS "Latest", (array_agg(reason ORDER BY at DESC))[1] AS "Latest reason"
FROM reporting.latest_outcomes
WHERE sweep = ${quoted('sweep')}
GROUP BY state, code
ORDER BY 3 DESC, 2`;

const CELLS = `SELECT at AS "Time", state AS "State", code AS "Code", reason AS "Reason", arm AS "Arm", task_kind AS "Task", context_tokens AS "Context length", depth AS "Depth", seed AS "Seed",
       document AS "Document", worker AS "Worker", attempts AS "Attempts", left(cell_key, 12) AS "Cell", left(shard, 12) AS "Shard", ${WORKFLOW} AS workflow
FROM reporting.latest_outcomes
WHERE sweep = ${quoted('sweep')}
ORDER BY at DESC, cell_key
LIMIT ${ROWS}`;

const ATTEMPTS = `SELECT ended_at AS "Time", code AS "Code", reason AS "Reason", arm AS "Arm", worker AS "Worker", device_class AS "Device class", lease AS "Attempt",
       extract(epoch FROM ended_at - leased_at) AS "Took", left(shard, 12) AS "Shard", ${WORKFLOW} AS workflow
FROM reporting.attempts
WHERE sweep = ${quoted('sweep')} AND code IS NOT NULL AND $__timeFilter(ended_at)
ORDER BY ended_at DESC
LIMIT ${ROWS}`;

const BY_TIME = `SELECT $__timeGroupAlias(ended_at, $__interval), ${numbered('dense_rank() OVER (ORDER BY code)', 'code')} AS metric, count(*) AS value
FROM reporting.attempts
WHERE sweep = ${quoted('sweep')} AND code IS NOT NULL AND $__timeFilter(ended_at)
GROUP BY 1, code
ORDER BY 1, 2`;

export const failuresDashboard = (): ClassicDashboard =>
  dashboard({
    uid: FAILURES.uid,
    title: 'failures and quarantine',
    description: 'Which cells of a sweep have no numbers and why, which attempts failed, and the workflows to look at.',
    variables: [sweepVariable(), ...temporalUiVariables()],
    panels: [
      table(
        { id: FAILURES.panels.reasons, title: 'Reasons why cells have no numbers', unit: 'none', empty: 'every cell that ended has numbers', width: 24, height: 7,
          description: 'Of the 2,000 latest of the store: cells that ran out of memory (infeasible) or were quarantined after their attempts (failed), by error code. docs/errors.md says what to do about each; `ropesweep retry` plans them again.' },
        REASONS,
      ).overrideByName('Code', text(150)).overrideByName('Latest', moment).overrideByName('Latest reason', text(500)),
      table(
        { id: 2, title: 'Cells in quarantine', unit: 'none', empty: 'none', width: 24, height: 12,
          description: `The ${ROWS} latest cells without numbers (of the 2,000 latest of the store), with their reason and the worker that had them last. Shard leads to the workflow in the Temporal UI, at the address in the variable above; Temporal forgets ended workflows after its retention.` },
        CELLS,
      )
        .overrideByName('Time', moment)
        .overrideByName('Code', text(150))
        .overrideByName('Reason', text(260))
        .overrideByName('Arm', arms)
        .overrideByName('Worker', text(150))
        .overrideByName('Depth', column('percentunit', 1))
        .overrideByName('Shard', [toWorkflow])
        .overrideByName('workflow', [hidden]),
      overTime(
        { id: 3, title: 'Attempts that failed, by error', unit: 'none', empty: 'no attempt failed', width: 24, height: 7,
          description: 'Attempts at shards of the sweep that failed, by the time of their end; most are tried again.' },
        BY_TIME,
      ),
      table(
        { id: 4, title: 'Attempts that failed', unit: 'none', empty: 'no attempt failed', width: 24, height: 12,
          description: `The ${ROWS} latest attempts at shards of the sweep that failed, in the shown time: on which worker, after how long, and why.` },
        ATTEMPTS,
      )
        .overrideByName('Time', moment)
        .overrideByName('Code', text(150))
        .overrideByName('Reason', text(260))
        .overrideByName('Arm', arms)
        .overrideByName('Worker', text(150))
        .overrideByName('Took', column('s'))
        .overrideByName('Shard', [toWorkflow])
        .overrideByName('workflow', [hidden]),
    ],
  });
