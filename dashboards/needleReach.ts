/**
 * Reach per arm: the largest tested context such that it and every smaller one have recall >= 90 % (compared in integers,
 * 10 passed >= 9 n), with n and the 95 % Wilson interval of the recall there.
 *
 * Wilson (1927): (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z = 1.959964.
 */
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { DATA_SOURCE, sqlTarget } from './sqlTarget.js';

const REACH = `WITH lengths AS (
  SELECT arm_id, context_tokens, sum(recall) AS passed, count(recall) AS n
  FROM reporting.needle_cells
  WHERE sweep = \${sweep:sqlstring} AND task::text = \${task:sqlstring} AND origin = 'grid'
  GROUP BY arm_id, context_tokens
  HAVING count(recall) > 0
), held AS (
  SELECT *, bool_and(10 * passed >= 9 * n) OVER (PARTITION BY arm_id ORDER BY context_tokens) AS reached FROM lengths
), reach AS (
  SELECT DISTINCT ON (arm_id) arm_id, context_tokens, n, passed::float8 / n AS p, 1.959964::float8 AS z
  FROM held WHERE reached ORDER BY arm_id, context_tokens DESC
)
SELECT a.arm AS "Arm",
       a.original_context_tokens AS "Trained context (L0)",
       a.continual_pretrain_context_tokens AS "Continual pretrain",
       a.effective_scale AS "Effective scale",
       r.context_tokens AS "Reach",
       r.n AS "n",
       r.p AS "Recall there",
       greatest(0, (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4.0 * n * n))) / (1 + z * z / n)) AS "Recall, low",
       least(1, (p + z * z / (2 * n) + z * sqrt(p * (1 - p) / n + z * z / (4.0 * n * n))) / (1 + z * z / n)) AS "Recall, high"
FROM reporting.arms a LEFT JOIN reach r USING (arm_id)
WHERE a.sweep = \${sweep:sqlstring}
ORDER BY a.ordinal`;

const unit = (value: string, decimals?: number) => [
  { id: 'unit', value },
  ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }]),
];

export const needleReach = (): PanelBuilder =>
  new PanelBuilder()
    .title('Reach of each arm')
    .description(
      'Reach: the largest tested context (tokens) such that it and every smaller one have a recall of at least 90 %, over all depths and seeds. ' +
        'Empty where the shortest tested context is below 90 % or nothing is measured. n: cells at that length; low and high: 95 % Wilson interval of the recall there.',
    )
    .datasource(DATA_SOURCE)
    .unit('none')
    .noValue('-')
    .height(8)
    .span(24)
    .withTarget(sqlTarget('A', REACH))
    .overrideByRegexp('/^Recall/', unit('percentunit', 0))
    .overrideByName('Effective scale', unit('none', 2));
