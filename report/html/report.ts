/** The HTML report of a sweep: one file that needs no network and no script, opened by path. */
import { armGrids, type ArmGrid } from '../aggregate.js';
import { attentionTables } from '../attentionRows.js';
import { findings } from '../findings.js';
import { cellCount, type Gathered } from '../gathered.js';
import { perplexityCharts } from '../perplexityCurves.js';
import { attentionSection } from './attention.js';
import { entropySection } from './entropy.js';
import { figures } from './figures.js';
import { findingsSection } from './findings.js';
import { frontierSection } from './frontiers.js';
import { html, Markup } from './markup.js';
import { perplexitySection } from './perplexity.js';
import { armTable, choiceTable, facts, howToRead, identities, outcomes, specSource } from './sections.js';
import { STYLE } from './style.js';

/**
 * The whole file. The same rows give the same bytes.
 *
 * @throws RopesweepError INTERNAL where a figure cannot be drawn
 */
export async function renderHtml(rows: Gathered): Promise<string> {
  const grids = armGrids(rows);
  const charts = perplexityCharts(rows);
  const attention = attentionTables(rows);
  const none = cellCount(rows.states) > 0 ? html`` : html`<p>This sweep has no cells.</p>
`;
  const needles = grids.length === 0 ? html`` : await needleSections(grids);
  const body = html`${none}${needles}${frontierSection(rows)}${await entropySection(grids)}${await perplexitySection(charts)}${await attentionSection(attention)}${await findingsSection(findings(rows, undefined, grids, attention))}<section id="reading"><h2>How to read this</h2>${howToRead({ needles: grids.length > 0, perplexity: charts.length > 0, attention: attention.length > 0 })}</section>
<section id="run"><h2>What was run</h2>${choiceTable(rows)}${identities(rows)}</section>
<section id="outcomes"><h2>Cells without numbers</h2>${outcomes(rows)}</section>
<section id="spec"><h2>Sweep file</h2><details><summary>The specification with all its defaults</summary>${specSource(rows)}</details></section>`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${rows.sweep}: ropesweep report</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header><h1>${rows.sweep}</h1>${facts(rows)}${contents(body)}</header>
<main>
${body}
</main>
</body>
</html>
`.text;
}

async function needleSections(grids: readonly ArmGrid[]): Promise<Markup> {
  const { maps, drawn } = await figures(grids);
  return html`<section id="arms"><h2>Arms</h2>${armTable(grids, drawn)}</section>
<section id="needle"><h2>Needle in a haystack</h2>${maps}</section>
`;
}

/** Links to the sections that the page has. */
function contents({ text }: Markup): Markup {
  const sections = [...text.matchAll(/<section id="([a-z-]+)"><h2>([^<]+)<\/h2>/g)];
  return html`<nav aria-label="Contents"><ul>${sections.map(([, id = '', title = '']) => html`<li><a href="#${id}">${title}</a></li>\n`)}</ul></nav>`;
}
