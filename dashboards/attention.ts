/** Attention: where each arm looks, how far that is from the trained pattern, and how spread. */
import { dashboard, type ClassicDashboard } from './dashboard.js';
import { numbered, COLOURS, fixedColour } from './palette.js';
import { arms, column, curves, envelope, table, text } from './panel.js';
import { quoted } from './sqlTarget.js';
import { armsVariable, attentionLengthVariable, axisVariable, sweepVariable, taskVariable } from './variables.js';

const CELLS = `sweep = ${quoted('sweep')} AND task::text = ${quoted('task')} AND arm_id IN (${quoted('arm')})`;

/** Shares below it stand at it, as in the report: the axis is logarithmic. */
const LEAST_SHARE = 1e-5;

/** Shares of the context stand at the middle of their bin; key 0 has a bin of its own before them. */
const DISTRIBUTION = `SELECT CASE WHEN ${quoted('axis')} = 'fraction' THEN greatest(b.bin - 1.5, 0) / (cardinality(a.distribution) - 1) ELSE b.bin - 1 END::float8 AS key, s.series, CASE WHEN s.value < ${LEAST_SHARE} THEN ${LEAST_SHARE} ELSE s.value END AS value
FROM reporting.attention a
CROSS JOIN LATERAL unnest(a.distribution, a.heads_p10, a.heads_p90) WITH ORDINALITY AS b(mean, p10, p90, bin)
CROSS JOIN LATERAL (VALUES ('mean', b.mean), ('p10', b.p10), ('p90', b.p90)) AS s(series, value)
WHERE ${CELLS} AND context_tokens::text = ${quoted('length')} AND axis = ${quoted('axis')}
ORDER BY b.bin, s.series`;

/** Table 1 of the paper: rows are arms, columns lengths of the reference. */
const DIVERGENCES = `SELECT arm AS "Arm", context_tokens AS "Context length", 'to ' || reference_arm || ' at ' || reference_context_tokens AS reference, mean_of_heads, of_mean
FROM reporting.attention_divergences
WHERE ${CELLS} AND axis = ${quoted('axis')}
ORDER BY arm_ordinal, context_tokens, 3`;

const TABLE = `SELECT "Arm", "Context length", reference AS "Reference", of_mean AS "JS of the mean", mean_of_heads AS "Mean JS of heads" FROM (${DIVERGENCES}) AS d`;

const ENTROPY = `SELECT DISTINCT context_tokens, arm_ordinal, ${numbered('arm_ordinal + 1', 'arm')} AS series, entropy AS value
FROM reporting.attention
WHERE ${CELLS} AND entropy IS NOT NULL
ORDER BY context_tokens, arm_ordinal`;

const NEEDLES = `sweep = ${quoted('sweep')} AND arm_id IN (${quoted('arm')})`;

/** Cells without numbers (planned, diverged) have no entropy: only measured ones are on either side. */
const SPLIT = `SELECT context_tokens, s.series, s.total / nullif(s.cells, 0) AS value
FROM (
  SELECT context_tokens, sum(passes) AS passes, sum(measured) - sum(passes) AS fails,
         sum(entropy_first_total_of_passes) AS passed_total, sum(entropy_first_total) - sum(entropy_first_total_of_passes) AS failed_total
  FROM reporting.needle_heatmap WHERE ${NEEDLES} GROUP BY context_tokens
) AS h
CROSS JOIN LATERAL (VALUES ('01 passing', passed_total, passes), ('02 failing', failed_total, fails)) AS s(series, total, cells)
WHERE s.cells > 0
ORDER BY context_tokens, s.series`;

const RETRIEVAL = `SELECT arm AS "Arm", layer AS "Layer", head AS "Head", score AS "Retrieval score", cells AS "Cells"
FROM (
  SELECT *, row_number() OVER (PARTITION BY arm_id ORDER BY score DESC, layer, head) AS nth
  FROM reporting.retrieval_heads WHERE ${NEEDLES}
) AS ranked
WHERE nth <= 10
ORDER BY arm_ordinal, nth`;

export const attentionDashboard = (): ClassicDashboard =>
  dashboard({
    uid: 'ropesweep-attention',
    title: 'attention',
    description: 'Where each arm looks, how far that is from the pattern of the trained length, and how spread attention is.',
    variables: [sweepVariable(), taskVariable('attention'), armsVariable(), attentionLengthVariable(), axisVariable()],
    panels: [
      envelope(
        { id: 1, title: 'Attention to keys: $arm', unit: 'percentunit', width: 8, height: 8,
          description: 'Share of attention on each bin of keys, at the chosen context length, over documents and their last rows. Thick: mean over layers and heads. Band: 10th to 90th percentile over heads, bin by bin; empty where heads were not stored (probes: summary), or were recorded before the band was derived. Fraction: key 0 has a bin of its own at 0. The axis is logarithmic; shares below 0.001 % stand at it.' },
        { x: 'key', xTitle: 'Key' },
        DISTRIBUTION,
      ).repeat('arm').repeatDirection('h').maxPerRow(3),
      table(
        { id: 2, title: 'Jensen-Shannon divergence to the reference patterns', unit: 'none', empty: 'no reference is measured', width: 24, height: 10,
          description: 'How far an arm at a length is from a reference of the task (Table 1 of the paper), in nats, 0 to ln 2 = 0.693. Of the mean: of distributions averaged over layers and heads. Mean of heads: divergence head by head, then averaged; empty where heads were not stored.' },
        TABLE,
      ).overrideByName('Arm', arms).overrideByName('Reference', text(300)).overrideByRegexp('/JS/', column('none', 4)),
      curves(
        { id: 3, title: 'Attention entropy by context length', unit: 'none', width: 12, height: 10,
          description: 'Mean entropy over layers, heads, documents and rows of the attention task, in nats. It is bounded by ln n, so it grows with length by construction: compare arms at one length. Yarn multiplies logits, which alone lowers it.' },
        { x: 'context_tokens', xTitle: 'Context length, tokens', yTitle: 'Entropy, nats' },
        ENTROPY,
      ),
      curves(
        { id: 4, title: 'Entropy of passing and of failing needle cells', unit: 'none', width: 12, height: 10,
          description: 'Needle cells of the chosen arms, by their criterion: mean entropy at the first answer row (the same under any decoding), in nats, over depths and seeds within a length. A line has no point where no cell passes, or none fails. No test is made here: the report says how far chance goes.' },
        { x: 'context_tokens', xTitle: 'Context length, tokens', yTitle: 'Entropy, nats' },
        SPLIT,
      )
        .overrideByName('01 passing', [fixedColour(COLOURS.blue)])
        .overrideByName('02 failing', [fixedColour(COLOURS.vermilion), { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } }]),
      table(
        { id: 5, title: 'Retrieval heads of each arm', unit: 'none', empty: 'no heads were stored', width: 24, height: 10,
          description: 'The ten heads whose most attended key most often lies in the needle and holds the token that the row predicts (Wu et al. 2024): mean share of answer rows, over the needle cells that were first measured for this arm, in whichever sweep, since these sums are kept. Layers and heads count from 0.' },
        RETRIEVAL,
      ).overrideByName('Arm', arms).overrideByName('Retrieval score', column('percentunit', 1)),
    ],
  });
