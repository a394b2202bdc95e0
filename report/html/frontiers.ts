/** Frontiers in the HTML report: a table of arms, what their search saved, and every length that was looked at. */
import { refinementTotals } from '../../domain/refinement.js';
import type { SweepHead } from '../../domain/rows.js';
import { FRONTIER_NOTE, frontierTables, savedText, shareText, type FrontierTable } from '../refinementFace.js';
import { html, table, type Markup } from './markup.js';

/** The section of all refined tasks; nothing without one. */
export function frontierSection(rows: Pick<SweepHead, 'refinement' | 'arms'>): Markup {
  const tables = frontierTables(rows);
  if (tables.length === 0) return html``;
  return html`<section id="frontiers"><h2>Frontiers</h2>${tables.map(frontierTable)}<p>${FRONTIER_NOTE}</p><p>${savedText(refinementTotals(rows.refinement ?? []))}.</p>${tables.map(lengths)}</section>
`;
}

const frontierTable = ({ title, hasDepths, rows }: FrontierTable): Markup =>
  table(
    title,
    [
      { head: 'arm' },
      ...(hasDepths ? [{ head: 'depth, %', numeric: true }] : []),
      { head: 'frontier', numeric: true },
      { head: 'longest that passes' },
      { head: 'shortest that fails' },
      { head: 'audit', numeric: true },
      { head: 'cells', numeric: true },
      { head: '' },
    ],
    rows.map(({ arm, depth, bracket, frontier: { passes, fails }, audit, cells, remark }) => [arm.label, ...(hasDepths ? [depth] : []), bracket, shareText(passes), shareText(fails), audit, cells, remark]),
  );

const lengths = ({ hasDepths, rows }: FrontierTable): Markup => html`<details><summary>Every length that was looked at</summary>${rows.map(({ arm, depth, frontier: { tested } }) =>
  table(
    hasDepths ? `${arm.label}, depth ${depth} %` : arm.label,
    [{ head: 'context', numeric: true }, { head: 'passed/n, interval' }, { head: '' }],
    tested.map((length) => [length.contextTokens, shareText(length), length.certain ? '' : 'uncertain']),
  ),
)}</details>`;
