/**
 * Reach per arm: the largest tested context such that it and every smaller one have recall >= 90 % (compared without a
 * division, 10 passed >= 9 n), with n and the 95 % Wilson interval of the recall there.
 *
 * Wilson (1927): (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z = 1.959964.
 */
import type { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { arms, column, table } from './panel.js';
import { quoted } from './sqlTarget.js';

const REACH = `WITH lengths AS (
  SELECT arm_id, context_tokens, sum(score_total) AS passed, sum(n)::float8 AS n
  FROM reporting.needle_heatmap
  WHERE sweep = ${quoted('sweep')} AND task::text = ${quoted('task')}
  GROUP BY arm_id, context_tokens
  HAVING sum(n) > 0
), held AS (
  SELECT *, bool_and(10 * passed >= 9 * n) OVER (PARTITION BY arm_id ORDER BY context_tokens) AS reached FROM lengths
), reach AS (
  SELECT DISTINCT ON (arm_id) arm_id, context_tokens, n, passed / n AS p, 1.959964::float8 AS z
  FROM held WHERE reached ORDER BY arm_id, context_tokens DESC
)
SELECT a.arm AS "Arm",
       a.original_context_tokens AS "Trained context (L0)",
       a.continual_pretrain_context_tokens AS "Continual pretrain",
       a.effective_scale AS "Effective scale",
       a.logit_scale AS "Logit scale",
       r.context_tokens AS "Reach",
       r.n AS "n",
       r.p AS "Recall there",
       CASE WHEN n > 0 THEN greatest(0, (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4.0 * n * n))) / (1 + z * z / n)) END AS "Recall, low",
       CASE WHEN n > 0 THEN least(1, (p + z * z / (2 * n) + z * sqrt(p * (1 - p) / n + z * z / (4.0 * n * n))) / (1 + z * z / n)) END AS "Recall, high"
FROM reporting.arms a LEFT JOIN reach r USING (arm_id)
WHERE a.sweep = ${quoted('sweep')}
ORDER BY a.ordinal`;

export const needleReach = (id: number): PanelBuilder =>
  table(
    {
      id, title: 'Reach of each arm', unit: 'none', empty: 'no arm', width: 24, height: 12,
      description:
        'Reach: the largest tested context (tokens) such that it and every smaller one have a recall (mean score under the criterion of the task) of at least 90 %, over all depths and seeds of the grid. ' +
        'Empty where the shortest tested context is below 90 % or nothing is measured. n: cells at that length; low and high: 95 % Wilson interval of the recall there. ' +
        'Logit scale: what multiplies the attention logits (yarn), which alone lowers entropy.',
    },
    REACH,
  )
    .overrideByName('Arm', arms)
    .overrideByRegexp('/^Recall/', column('percentunit', 0))
    .overrideByRegexp('/scale$/', column('none', 2));
