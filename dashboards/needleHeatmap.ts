/**
 * The needle heat map of one arm, repeated per arm: text = entropy, colour = recall, lines where the trained lengths end.
 */
import type { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { columnName, DEPTH_LABEL, heatmapTable, LENGTH_LABEL } from './heatmapTable.js';
import { backgroundSql, inkSql } from './recallStyle.js';
import { quoted } from './sqlTarget.js';

/**
 * Squares of the arm with the rank of their length (1 = shortest; 0 is the column of depths) and of their depth (1 = top;
 * row 0 holds the lengths). A trained length stands left of the first column that is longer than it, or right of the last.
 */
const SQUARES = `WITH squares AS (
  SELECT h.*,
         dense_rank() OVER (ORDER BY context_tokens) AS rank,
         dense_rank() OVER (ORDER BY depth) AS line
  FROM reporting.needle_heatmap h
  WHERE sweep = ${quoted('sweep')} AND task::text = ${quoted('task')} AND arm_id IN (${quoted('arm')})
), lengths AS (
  SELECT rank, context_tokens,
         lag(context_tokens, 1, 0) OVER (ORDER BY rank) AS shorter_tokens,
         lead(context_tokens) OVER (ORDER BY rank) AS longer_tokens,
         original_context_tokens AS original,
         continual_pretrain_context_tokens AS continued
  FROM (SELECT DISTINCT rank, context_tokens, original_context_tokens, continual_pretrain_context_tokens FROM squares) AS each_length
), edges AS (
  SELECT rank, context_tokens,
         original >= shorter_tokens AND original < context_tokens AS original_left,
         longer_tokens IS NULL AND original >= context_tokens AS original_right,
         coalesce(continued >= shorter_tokens AND continued < context_tokens, false) AS continued_left,
         coalesce(longer_tokens IS NULL AND continued >= context_tokens, false) AS continued_right
  FROM lengths
)`;

/** What stands instead of a number. */
const WITHOUT_NUMBERS = `CASE WHEN diverged > 0 THEN 'div' WHEN failed > 0 THEN 'fail' WHEN infeasible > 0 THEN 'oom' ELSE '·' END`;

const TEXTS = `${SQUARES}
SELECT line, name, value FROM (
  SELECT 0 AS line, 0 AS rank, 'v00' AS name, 'depth %' AS value FROM squares
  UNION
  SELECT line, 0, 'v00', ${DEPTH_LABEL} FROM squares
  UNION
  SELECT 0, rank, ${columnName('v')}, ${LENGTH_LABEL} FROM lengths
  UNION
  SELECT line, rank, ${columnName('v')},
         CASE WHEN entropy IS NOT NULL
                THEN to_char(entropy, 'FM990.00') || CASE WHEN entropy_is_first THEN '~' ELSE '' END || CASE WHEN cells > n OR diverged > 0 THEN '*' ELSE '' END
              ELSE ${WITHOUT_NUMBERS} END
  FROM squares
) AS cells
ORDER BY line, rank`;

const edge = (side: 'left' | 'right', ink: string): string =>
  `CASE WHEN continued_${side} AND original_${side} THEN '4px double ' || ${ink} WHEN continued_${side} THEN '2px dashed ' || ${ink} WHEN original_${side} THEN '2px dotted ' || ${ink} END`;

const STYLES = `${SQUARES}
SELECT line, name, value FROM (
  SELECT line, rank, ${columnName('s')} AS name,
         json_strip_nulls(json_build_object(
           'background', CASE WHEN score IS NOT NULL THEN ${backgroundSql('score')} END,
           'color', CASE WHEN score IS NOT NULL THEN ${inkSql('score')} END,
           'borderLeft', ${edge('left', 'ink')},
           'borderRight', ${edge('right', 'ink')}
         ))::text AS value
  FROM (SELECT *, coalesce(${inkSql('score')}, '#808080') AS ink FROM squares JOIN edges USING (rank)) AS inked
  UNION ALL
  SELECT 0, rank, ${columnName('s')},
         json_strip_nulls(json_build_object('fontWeight', 'bold', 'borderLeft', ${edge('left', `'#808080'`)}, 'borderRight', ${edge('right', `'#808080'`)}))::text
  FROM edges
) AS styles
ORDER BY line, rank`;

const TOOLTIPS = `${SQUARES}
SELECT line, ${columnName('t')} AS name, concat_ws(' | ',
  context_tokens || ' tokens, depth ' || ${DEPTH_LABEL} || ' %',
  CASE WHEN n > 0 THEN 'recall ' || round((score * 100)::numeric) || ' %: ' || trim_scale(round(score_total::numeric, 2)) || ' of n = ' || n || ' (' || criterion || ')' ELSE 'n = 0' END,
  'entropy ' || to_char(entropy, 'FM990.000') || ' nats, ' || CASE WHEN entropy_is_first THEN 'first answer row' ELSE 'generated rows' END,
  'NLL ' || to_char(nll_per_token, 'FM990.000') || ' nats a token',
  'attention on the needle ' || to_char(needle_mass * 100, 'FM990.00') || ' %',
  CASE WHEN diverged > 0 THEN diverged || ' diverged' END,
  CASE WHEN failed > 0 THEN failed || ' quarantined' END,
  CASE WHEN infeasible > 0 THEN infeasible || ' out of memory' END,
  CASE WHEN planned > 0 THEN planned || ' to do' END) AS value
FROM squares
ORDER BY line, rank`;

export const needleHeatmap = (id: number): PanelBuilder =>
  heatmapTable(
    {
      id, title: 'Needle recall (colour) and attention entropy (number): $arm', unit: 'string', empty: 'no needle cell of this arm', width: 12, height: 10,
      description:
        'Each square is one context length (x, tokens) and needle depth (y, per cent), over all seeds. ' +
        'Colour: recall, the mean score under the criterion of the task, from dark violet (0 %) over teal (50 %) to yellow (100 %). ' +
        'Number: mean attention entropy in nats; ~ the entropy of the first answer row, where nothing was generated; ' +
        '* some seeds have no numbers. Without numbers: div (diverged), fail (quarantined), oom (out of memory), · (planned). ' +
        'Dashed line: end of the continual-pretrain length (none where not continued). Dotted line: end of the trained context of the base (L0). ' +
        'Double line: both are the same. The corner of a square opens n, criterion, NLL and needle mass.',
    },
    { texts: TEXTS, styles: STYLES, tooltips: TOOLTIPS },
  )
    .repeat('arm')
    .repeatDirection('h')
    .maxPerRow(2);
