/**
 * The needle heat map of one arm as a table panel, repeated per arm: x context length, y depth, text = entropy, colour =
 * recall, lines where the trained lengths end.
 *
 * Two queries give the same squares, as text (A) and as style (B). A style field is named per column, so columns have
 * fixed names by rank (v01, v02, ... and s01, s02, ...), made only where there is such a length; what people read as
 * column heads is the first row.
 */
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { backgroundSql, inkSql } from './recallStyle.js';
import { DATA_SOURCE, sqlTarget } from './sqlTarget.js';

/** Context lengths a heat map can show. */
const LONGEST_RANK = 40;

const rankName = (prefix: 'v' | 's', rank: number): string => `${prefix}${String(rank).padStart(2, '0')}`;

/**
 * Squares of the arm with the rank of their length (1 = shortest; 0 is the column of depths) and of their depth (1 = top;
 * row 0 holds the lengths). A trained length stands left of the first column that is longer than it, or right of the last.
 */
const SQUARES = `WITH squares AS (
  SELECT h.*,
         dense_rank() OVER (ORDER BY context_tokens) AS rank,
         dense_rank() OVER (ORDER BY depth) AS line
  FROM reporting.needle_heatmap h
  WHERE sweep = \${sweep:sqlstring} AND task::text = \${task:sqlstring} AND arm_id IN (\${arm:sqlstring})
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

const LENGTH_LABEL = `CASE WHEN context_tokens >= 1024 AND context_tokens % 1024 = 0 THEN (context_tokens / 1024)::text || 'k' ELSE context_tokens::text END`;

const VALUES = `${SQUARES}
SELECT line, name, value FROM (
  SELECT 0 AS line, 0 AS rank, 'v00' AS name, 'depth %' AS value FROM squares
  UNION
  SELECT line, 0, 'v00', trim_scale(round((depth * 100)::numeric, 1))::text FROM squares
  UNION
  SELECT 0, rank, 'v' || lpad(rank::text, 2, '0'), ${LENGTH_LABEL} FROM lengths
  UNION
  SELECT line, rank, 'v' || lpad(rank::text, 2, '0'),
         CASE WHEN entropy IS NOT NULL
                THEN to_char(entropy, 'FM990.00') || CASE WHEN entropy_is_first THEN '~' ELSE '' END || CASE WHEN cells > n OR diverged > 0 THEN '*' ELSE '' END
              WHEN diverged > 0 THEN 'div' WHEN failed > 0 THEN 'fail' WHEN infeasible > 0 THEN 'oom' ELSE '·' END
  FROM squares
) AS cells
ORDER BY line, rank`;

const edge = (side: 'left' | 'right', ink: string): string =>
  `CASE WHEN continued_${side} AND original_${side} THEN '4px double ' || ${ink} WHEN continued_${side} THEN '2px dashed ' || ${ink} WHEN original_${side} THEN '2px dotted ' || ${ink} END`;

const STYLES = `${SQUARES}
SELECT line, name, value FROM (
  SELECT line, rank, 's' || lpad(rank::text, 2, '0') AS name,
         json_strip_nulls(json_build_object(
           'background', CASE WHEN recall IS NOT NULL THEN ${backgroundSql('recall')} END,
           'color', CASE WHEN recall IS NOT NULL THEN ${inkSql('recall')} END,
           'borderLeft', ${edge('left', 'ink')},
           'borderRight', ${edge('right', 'ink')}
         ))::text AS value
  FROM (SELECT *, coalesce(${inkSql('recall')}, '#808080') AS ink FROM squares JOIN edges USING (rank)) AS inked
  UNION ALL
  SELECT 0, rank, 's' || lpad(rank::text, 2, '0'),
         json_strip_nulls(json_build_object('fontWeight', 'bold', 'borderLeft', ${edge('left', `'#808080'`)}, 'borderRight', ${edge('right', `'#808080'`)}))::text
  FROM edges
) AS styles
ORDER BY line, rank`;

const KEY = 'line\\name';

const matrix = (refId: string) => ({
  id: 'groupingToMatrix',
  filter: { id: 'byRefId', options: refId },
  options: { columnField: 'name', rowField: 'line', valueField: 'value', emptyValue: 'null' },
});

export function needleHeatmap(): PanelBuilder {
  const panel = new PanelBuilder()
    .title('Needle recall (colour) and attention entropy (number): $arm')
    .description(
      'Each square is one context length (x, tokens) and needle depth (y, per cent), over all seeds. ' +
        'Colour: share of needles retrieved by exact match, from dark violet (0 %) over teal (50 %) to yellow (100 %). ' +
        'Number: mean attention entropy in nats; ~ the entropy of the first answer row, where nothing was generated; ' +
        '* some seeds have no numbers. Without numbers: div (diverged), fail (quarantined), oom (out of memory), · (planned). ' +
        'Dashed line: end of the continual-pretrain length (none where not continued). Dotted line: end of the trained context of the base (L0). ' +
        'Double line: both are the same.',
    )
    .datasource(DATA_SOURCE)
    .unit('string')
    .noValue('')
    .repeat('arm')
    .repeatDirection('h')
    .maxPerRow(2)
    .height(10)
    .span(12)
    .showHeader(false)
    .filterable(false)
    .minWidth(40)
    .withTarget(sqlTarget('A', VALUES))
    .withTarget(sqlTarget('B', STYLES))
    .withTransformation(matrix('A'))
    .withTransformation(matrix('B'))
    .withTransformation({ id: 'joinByField', options: { byField: KEY, mode: 'outer' } })
    .overrideByRegexp('/^(line.name|s\\d\\d)$/', [{ id: 'custom.hideFrom', value: { viz: true, legend: true, tooltip: true } }])
    .overrideByRegexp('/^v\\d\\d$/', [{ id: 'custom.align', value: 'center' }]);
  for (let rank = 1; rank <= LONGEST_RANK; rank += 1) {
    panel.overrideByName(rankName('v', rank), [{ id: 'custom.styleField', value: rankName('s', rank) }]);
  }
  return panel;
}
