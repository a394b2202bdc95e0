/** Two arms side by side: recall of the first less that of the second, square by square. */
import type { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { columnName, DEPTH_LABEL, heatmapTable, LENGTH_LABEL } from './heatmapTable.js';
import { differenceBackgroundSql, differenceInkSql } from './recallStyle.js';
import { quoted } from './sqlTarget.js';

const of = (arm: string): string =>
  `SELECT * FROM reporting.needle_heatmap WHERE sweep = ${quoted('sweep')} AND task::text = ${quoted('task')} AND arm_id = ${quoted(arm)}`;

/** Squares that both arms have, ranked as in a heat map. */
const SQUARES = `WITH squares AS (
  SELECT context_tokens, depth, a.score AS first, b.score AS second, a.score - b.score AS difference, a.n AS first_n, b.n AS second_n,
         a.entropy AS first_entropy, b.entropy AS second_entropy,
         dense_rank() OVER (ORDER BY context_tokens) AS rank, dense_rank() OVER (ORDER BY depth) AS line
  FROM (${of('arm_a')}) AS a JOIN (${of('arm_b')}) AS b USING (context_tokens, depth)
)`;

const points = (share: string, format: string): string => `to_char(round((${share} * 100)::numeric), '${format}')`;

const TEXTS = `${SQUARES}
SELECT line, name, value FROM (
  SELECT 0 AS line, 0 AS rank, 'v00' AS name, 'depth %' AS value FROM squares
  UNION
  SELECT line, 0, 'v00', ${DEPTH_LABEL} FROM squares
  UNION
  SELECT 0, rank, ${columnName('v')}, ${LENGTH_LABEL} FROM squares
  UNION
  SELECT line, rank, ${columnName('v')}, CASE WHEN difference IS NULL THEN '·' WHEN round((difference * 100)::numeric) = 0 THEN '0' ELSE ${points('difference', 'FMSG999')} END FROM squares
) AS cells
ORDER BY line, rank`;

const STYLES = `${SQUARES}
SELECT line, name, value FROM (
  SELECT line, rank, ${columnName('s')} AS name,
         json_strip_nulls(json_build_object(
           'background', CASE WHEN difference IS NOT NULL THEN ${differenceBackgroundSql('difference')} END,
           'color', CASE WHEN difference IS NOT NULL THEN ${differenceInkSql('difference')} END))::text AS value
  FROM squares
  UNION
  SELECT 0, rank, ${columnName('s')}, '{"fontWeight" : "bold"}' FROM squares
) AS styles
ORDER BY line, rank`;

const side = (name: string): string =>
  `CASE WHEN ${name}_n > 0 THEN ${points(name, 'FM990')} || ' % of n = ' || ${name}_n ELSE 'n = 0' END || coalesce(', entropy ' || to_char(${name}_entropy, 'FM990.000') || ' nats', '')`;

const TOOLTIPS = `${SQUARES}
SELECT line, ${columnName('t')} AS name, context_tokens || ' tokens, depth ' || ${DEPTH_LABEL} || ' % | first: ' || ${side('first')} || ' | second: ' || ${side('second')} AS value
FROM squares
ORDER BY line, rank`;

export const needleDifference = (id: number): PanelBuilder =>
  heatmapTable(
    {
      id, title: 'Recall of $arm_a less that of $arm_b, in points', unit: 'string', empty: 'these arms have no square in common', width: 24, height: 10,
      description:
        'Each square is one context length (x, tokens) and needle depth (y, per cent) that both arms have, over all seeds. Number: difference of the recalls in percentage points. ' +
        'Colour: blue where the first arm is better, vermilion where the second is, white where they are alike. · where one of them has no numbers. ' +
        'No test is made: with few seeds a difference of one or two needles is chance. The corner of a square opens both recalls with n, and the entropies.',
    },
    { texts: TEXTS, styles: STYLES, tooltips: TOOLTIPS },
  );
