/** Perplexity in the HTML report: a chart and its numbers for each perplexity task. */
import { bitsPerByte, perplexity } from '../../domain/perplexity.js';
import { NOTHING } from '../armSummary.js';
import { plural } from '../labels.js';
import type { PerplexityChart, PerplexityCurve, PerplexityPoint } from '../perplexityCurves.js';
import { bitsPerByteText, conventionText, lastPerplexityText, perplexityText } from '../perplexityFace.js';
import { html, table, type Markup } from './markup.js';
import { CHART_WIDTH, perplexitySpec } from './perplexitySpec.js';
import { drawnSvg } from './svg.js';

/** Arms by context lengths. */
function byLength({ contexts, curves }: PerplexityChart, caption: string, textOf: (point: PerplexityPoint) => string): Markup {
  return table(
    caption,
    [{ head: 'arm' }, ...contexts.map((context) => ({ head: String(context), numeric: true }))],
    curves.map(({ arm, points }) => [arm.label, ...points.map(textOf)]),
  );
}

/** Every document of one arm at its longest length. */
function documentTable({ names, curves }: PerplexityChart): Markup {
  const rows = curves.flatMap(({ arm, points }) => {
    const longest = points.findLast(({ documents }) => documents.length > 0);
    return (longest?.documents ?? []).map(({ document, losses }) => [
      arm.label,
      names.get(document) ?? document.slice(0, 12),
      longest?.contextTokens ?? NOTHING,
      losses.tokenCount,
      figure(perplexity(losses)),
      figure(bitsPerByte(losses)),
    ]);
  });
  return table(
    'Every document at the longest length',
    [{ head: 'arm' }, { head: 'document' }, { head: 'context', numeric: true }, { head: 'tokens predicted', numeric: true }, { head: 'perplexity', numeric: true }, { head: 'bits per byte', numeric: true }],
    rows,
  );
}

const figure = (value: number | null): string => (value === null ? NOTHING : value.toPrecision(4));

/** Perplexity by how many tokens stood before the predicted one. */
function bucketTable(curves: readonly PerplexityCurve[]): Markup {
  const edges = new Map(curves.flatMap(({ buckets }) => buckets.map(({ from, to }) => [`${from}-${to - 1}`, from] as const)));
  const heads = [...edges].sort(([, a], [, b]) => a - b).map(([head]) => head);
  return table(
    'Perplexity by position: tokens before the predicted one, in the longest windows measured',
    [{ head: 'arm' }, ...heads.map((head) => ({ head, numeric: true }))],
    curves.map(({ arm, buckets }) => [arm.label, ...heads.map((head) => figure(bucketAt(buckets, head)))]),
  );
}

function bucketAt(buckets: PerplexityCurve['buckets'], head: string): number | null {
  const found = buckets.find(({ from, to }) => `${from}-${to - 1}` === head);
  return found === undefined ? null : perplexity(found.losses);
}

const documentsOf = ({ curves }: PerplexityChart): number => new Set(curves.flatMap(({ points }) => points.flatMap(({ documents }) => documents.map(({ document }) => document)))).size;

async function chartFigure(chart: PerplexityChart, hasTasks: boolean): Promise<Markup> {
  const { curves, contexts, view, task } = chart;
  const title = hasTasks ? `Perplexity, task ${task}` : 'Perplexity by context length';
  const points = curves.flatMap((curve) => curve.points);
  const measured = points.some((point) => point.perplexity !== null);
  const description = `Lines of perplexity over context length (${contexts[0] ?? 0} to ${contexts.at(-1) ?? 0} tokens) for ${plural(curves.length, 'arm')}; the table below has the numbers.`;
  const drawing = measured ? html`<div class="scroll">${await drawnSvg(perplexitySpec(chart), { elementId: `perplexity-${task}`, title, description })}</div>` : html`<p>Nothing is measured yet.</p>`;
  const hasBytes = points.some((point) => point.bitsPerByte !== null);
  return html`<figure id="perplexity-task-${task}"><figcaption><h3>${title}</h3><p>${plural(documentsOf(chart), 'document')} · ${conventionText(view)} · mean loss weighted by token${points.some(({ missing }) => missing > 0) ? ' · * some documents have no numbers' : ''}</p></figcaption>
${drawing}
${byLength(chart, 'Perplexity by arm and context length', perplexityText)}
<details><summary>Numbers</summary>${hasBytes ? byLength(chart, 'Bits per byte', bitsPerByteText) : ''}${byLength(chart, `Perplexity of the last ${view.lastTokens} tokens of each context`, lastPerplexityText)}${bucketTable(curves)}${documentTable(chart)}</details></figure>
`;
}

/** The section of all perplexity tasks; nothing without one. */
export async function perplexitySection(charts: readonly PerplexityChart[]): Promise<Markup> {
  if (charts.length === 0) return html``;
  const drawn: Markup[] = [];
  for (const chart of charts) drawn.push(await chartFigure(chart, charts.length > 1));
  return html`<section id="perplexity"><h2>Perplexity</h2><div class="figures" style="--figure: ${CHART_WIDTH}px">${drawn}</div></section>
`;
}
