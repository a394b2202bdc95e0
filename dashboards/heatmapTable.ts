/**
 * A heat map as a table panel: x context length, y depth.
 *
 * Three queries give the same squares, as text (A), as style (B) and as tooltip (C). Style and tooltip fields are named per
 * column, so columns have fixed names by rank (v01, s01, t01, v02, ...), made only where there is such a length; what people
 * read as column heads is the first row.
 */
import type { PanelBuilder } from '@grafana/grafana-foundation-sdk/table';
import { hidden, table, type Description } from './panel.js';

/** Context lengths a heat map can show. */
const LONGEST_RANK = 40;

/** Pixels. */
const TOOLTIP_WIDTH = 320;

type Prefix = 'v' | 's' | 't';

const rankName = (prefix: Prefix, rank: number): string => `${prefix}${String(rank).padStart(2, '0')}`;

/** SQL: the column of a square, by the rank of its length from 1. */
export const columnName = (prefix: Prefix, rank = 'rank'): string => `'${prefix}' || lpad(${rank}::text, 2, '0')`;

/** SQL: a context length as the head of a column. */
export const LENGTH_LABEL = `CASE WHEN context_tokens >= 1024 AND context_tokens % 1024 = 0 THEN (context_tokens / 1024)::text || 'k' ELSE context_tokens::text END`;
/** SQL: a depth as the head of a line. */
export const DEPTH_LABEL = `trim_scale(round((depth * 100)::numeric, 1))::text`;

const KEY = 'line\\name';

const matrix = (refId: string) => ({
  id: 'groupingToMatrix',
  filter: { id: 'byRefId', options: refId },
  options: { columnField: 'name', rowField: 'line', valueField: 'value', emptyValue: 'null' },
});

/** @param queries columns line, name, value, ordered by line and rank; line 0 holds the lengths, column v00 the depths */
export function heatmapTable(description: Description, { texts, styles, tooltips }: { readonly texts: string; readonly styles: string; readonly tooltips: string }): PanelBuilder {
  const panel = table(description, texts, styles, tooltips)
    .showHeader(false)
    .filterable(false)
    .minWidth(40)
    .withTransformation(matrix('A'))
    .withTransformation(matrix('B'))
    .withTransformation(matrix('C'))
    .withTransformation({ id: 'joinByField', options: { byField: KEY, mode: 'outer' } })
    .overrideByRegexp('/^(line.name|[st]\\d\\d)$/', [hidden])
    // A tooltip above or below is as wide as its square, which is too narrow to read.
    .overrideByRegexp('/^t\\d\\d$/', [{ id: 'custom.width', value: TOOLTIP_WIDTH }])
    .overrideByRegexp('/^v\\d\\d$/', [
      { id: 'custom.align', value: 'center' },
      // What stands for nothing is said of the panel; a square that is not there stays white.
      { id: 'noValue', value: '' },
    ]);
  for (let rank = 1; rank <= LONGEST_RANK; rank += 1) {
    panel.overrideByName(rankName('v', rank), [
      { id: 'custom.styleField', value: rankName('s', rank) },
      { id: 'custom.tooltip', value: { field: rankName('t', rank), placement: 'right' } },
    ]);
  }
  return panel;
}
