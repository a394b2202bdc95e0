/** Sweep overview: how far a sweep is, how fast it goes, when it ends, what fails. */
import { dashboard, type ClassicDashboard } from './dashboard.js';
import { arms, column, link, moment, overTime, stat, table, text } from './panel.js';
import { quoted } from './sqlTarget.js';
import { sweepVariable } from './variables.js';

export const OVERVIEW = { uid: 'ropesweep-overview', panels: { progress: 2, left: 3, pace: 5, failures: 8 } } as const;

const STATE = `SELECT state AS "State", reason AS "Reason", revision AS "Revision", total_cells AS "Cells", measured_cells AS "Measured",
       planned_cells AS "To do", diverged_cells AS "Diverged", failed_cells AS "Failed", infeasible_cells AS "Out of memory",
       concurrency AS "Window", priority AS "Priority", device_class AS "Device class", updated_at AS "Changed"
FROM reporting.sweeps
WHERE sweep = ${quoted('sweep')}`;

const PROGRESS = `SELECT w.done_share AS "Of the cost", 1 - s.planned_cells::float8 / nullif(s.total_cells, 0) AS "Of the cells"
FROM reporting.sweep_work w JOIN reporting.sweeps s USING (sweep)
WHERE sweep = ${quoted('sweep')}`;

const LEFT = `SELECT eta_seconds AS "Time left", earliest_seconds AS "Fastest quarter", latest_seconds AS "Slowest quarter"
FROM reporting.sweep_work
WHERE sweep = ${quoted('sweep')}`;

/** Whole minutes only: the one that runs would show too little. */
const SPEED = `SELECT (SELECT sum(cells) FROM reporting.progress_minutes p
        WHERE p.sweep = w.sweep AND minute = date_trunc('minute', now()) - interval '1 minute') / 60.0 AS "Cells/s",
       leased_shards * slot_tokens_per_second AS "Tokens/s",
       leased_shards * slot_flops_per_second AS "FLOP/s"
FROM reporting.sweep_work w
WHERE sweep = ${quoted('sweep')}`;

const pace = (what: string, name: string): string => `SELECT $__timeGroupAlias(minute, $__interval), '${name}' AS metric, sum(${what}) / ($__interval_ms / 1000.0) AS value
FROM reporting.progress_minutes
WHERE sweep = ${quoted('sweep')} AND $__timeFilter(minute)
GROUP BY 1
ORDER BY 1`;

const RUNNING = `SELECT arm AS "Arm", worker AS "Worker", leased_at AS "Since", seconds AS "Running", attempts AS "Attempt", longest_context_tokens AS "Longest context",
       cells AS "Cells", ended_cells AS "Ended", share AS "Share of tokens", left(shard, 12) AS "Shard"
FROM reporting.running_shards
WHERE sweep = ${quoted('sweep')}
ORDER BY leased_at, shard
LIMIT 500`;

const FAILURES = `SELECT state AS "State", code AS "Code", count(*) AS "Cells", max(at) AS "Latest", (array_agg(reason ORDER BY at DESC))[1] AS "Latest reason"
FROM reporting.latest_outcomes
WHERE sweep = ${quoted('sweep')}
GROUP BY state, code
ORDER BY 3 DESC, 2`;

const SWEEPS = `SELECT s.sweep AS "Sweep", s.state AS "State", w.done_share AS "Of the cost", s.total_cells AS "Cells", s.planned_cells AS "To do",
       s.failed_cells + s.infeasible_cells AS "Without numbers", w.leased_shards AS "Running shards", w.eta_seconds AS "Time left", s.updated_at AS "Changed"
FROM (SELECT * FROM reporting.sweeps ORDER BY updated_at DESC LIMIT 50) AS s JOIN reporting.sweep_work w USING (sweep)
ORDER BY s.state <> 'running', s.updated_at DESC, s.sweep`;

export const overviewDashboard = (): ClassicDashboard =>
  dashboard({
    uid: OVERVIEW.uid,
    title: 'sweep overview',
    description: 'How far a sweep is, how fast it goes, when it ends and what fails.',
    variables: [sweepVariable()],
    panels: [
      table(
        { id: 1, title: 'State of the sweep and cells by state', unit: 'none', empty: 'no such sweep', width: 24, height: 4,
          description: 'Cells of all revisions of the sweep. Failed cells were quarantined after their attempts, with a reason; diverged ones gave output that is not finite. Window: shards in flight at most.' },
        STATE,
      ).overrideByName('Reason', text(200)).overrideByName('Changed', moment),
      stat(
        { id: OVERVIEW.panels.progress, title: 'Share that is done', unit: 'percentunit', width: 6, height: 5,
          description: 'Of the predicted cost in FLOPs (a shard that runs counts by the tokens of its cells that ended), and of the cells. A cell of 32k tokens costs a thousand times one of 1k, so time goes with the cost.' },
        PROGRESS,
      ).decimals(1),
      stat(
        { id: OVERVIEW.panels.left, title: 'Time left, and how far it may be off', unit: 's', empty: 'not known', width: 9, height: 5,
          description: 'What is left of the cost at the speed of the shards that ended in the last five minutes (the last 20 where fewer did), in as many slots as hold a shard now; never less than the longest shard takes one slot. Beside it: at the speed of the fastest and the slowest quarter of these shards. As `ropesweep watch` says it, but that watch averages the slots over 15 s. Not known where no shard runs or none has progressed.' },
        LEFT,
      ),
      stat(
        { id: 4, title: 'Throughput now', unit: 'short', width: 9, height: 5,
          description: 'Cells that ended in the last whole minute, a second. Prompt tokens and FLOPs a second: what a slot did in the latest shards, times the slots that hold a shard.' },
        SPEED,
      ),
      overTime(
        { id: OVERVIEW.panels.pace, title: 'Cells that ended, a second', unit: 'cps', width: 12, height: 8,
          description: 'Counted by the minute as cells get their state: measured, diverged, out of memory or failed; also those that another sweep measured for this one.' },
        pace('cells', '01 cells/s'),
      ).interval('1m'),
      overTime(
        { id: 6, title: 'Prompt tokens of cells that got numbers, a second', unit: 'short', width: 12, height: 8,
          description: 'Context lengths of cells that were measured or diverged, by the minute. A prefix that several cells share counts in each.' },
        pace('tokens', '02 tokens/s'),
      ).interval('1m'),
      table(
        { id: 7, title: 'Shards that run now', unit: 'none', empty: 'no shard runs', width: 24, height: 8,
          description: 'Shards of the sweep that a worker holds, the longest running first, 500 at most. Share of tokens: of cells that ended, of all of the shard.' },
        RUNNING,
      ).overrideByName('Arm', arms).overrideByName('Since', moment).overrideByName('Running', column('s')).overrideByName('Share of tokens', column('percentunit', 0)),
      table(
        { id: OVERVIEW.panels.failures, title: 'Cells without numbers, by reason', unit: 'none', empty: 'none', width: 24, height: 6,
          description: 'Of the 2,000 latest of the store: cells that ran out of memory (infeasible) or were quarantined after their attempts (failed), by error code (docs/errors.md). The counts of the first panel are exact.' },
        FAILURES,
      ).overrideByName('Latest', moment).overrideByName('Latest reason', text(600)),
      table(
        { id: 9, title: 'All sweeps', unit: 'none', empty: 'no sweep yet', width: 24, height: 8,
          description: 'The 50 sweeps that changed last; those that run first. A name leads to the sweep.' },
        SWEEPS,
      )
        .overrideByName('Sweep', [link('Show this sweep', `/d/${OVERVIEW.uid}?var-sweep=\${__value.text:percentencode}`)])
        .overrideByName('Of the cost', column('percentunit', 1))
        .overrideByName('Time left', column('s'))
        .overrideByName('Changed', moment),
    ],
  });
