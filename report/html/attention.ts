/**
 * Attention in the HTML report: for each attention task entropies by length, divergences as in Table 1 of the paper, the
 * distributions of each arm, and all numbers as a table.
 */
import { groupBy } from '../../domain/groupBy.js';
import { NOTHING } from '../armSummary.js';
import { distributionCharts, type DistributionChart } from '../attentionDistributions.js';
import { ATTENTION_NOTE, attentionColumns } from '../attentionFace.js';
import type { AttentionTable } from '../attentionRows.js';
import { attentionEntropyCurves } from '../entropyCurves.js';
import { plural } from '../labels.js';
import { AXIS_TITLES, distributionSpec, distributionWidth, LEAST_MASS, shownCurves } from './distributionSpec.js';
import { entropyFigure } from './entropy.js';
import { html, table, type Markup } from './markup.js';
import { drawWithin } from './room.js';
import { drawnSvg } from './svg.js';

/** Characters that the distributions of a page may take. */
const DISTRIBUTION_ROOM = 1.5e6;

/** The section of all attention tasks; nothing without one. */
export async function attentionSection(tables: readonly AttentionTable[]): Promise<Markup> {
  if (tables.length === 0) return html``;
  const drawn: Markup[] = [];
  for (const attention of tables) drawn.push(await taskPart(attention, tables.length > 1));
  return html`<section id="attention"><h2>Attention</h2>${drawn}</section>
`;
}

async function taskPart(attention: AttentionTable, severalTasks: boolean): Promise<Markup> {
  const name = severalTasks ? `, task ${attention.task}` : '';
  const { heads, rows } = attentionColumns(attention);
  const charts = distributionCharts(attention);
  const { figures, left } = await drawWithin(charts, DISTRIBUTION_ROOM, (chart, at) => distributionFigure(chart, `${attention.task}-${at}`, name));
  const width = Math.max(0, ...charts.map(({ curves }) => distributionWidth(curves.length))) + 32;
  return html`${divergenceTables(attention, name)}
${await entropyFigure(attentionEntropyCurves(attention), `attention-entropy-${attention.task}`, `Attention entropy by context length${name}`, 'mean over documents, rows, layers and heads')}
<div class="figures" style="--figure: ${width}px">${figures}</div>${left > 0 ? html`<p>${plural(left, 'more distribution')} without a figure: ropesweep report --json has all means.</p>` : ''}
<details><summary>All attention numbers${name}</summary>${table(`Mean over documents, rows, layers and heads${name}. ${ATTENTION_NOTE}`, heads.map((head, at) => ({ head, numeric: at > 0 })), rows)}</details>
`;
}

/** Arms by lengths for each reference and axis. */
function divergenceTables({ rows }: AttentionTable, name: string): Markup {
  const all = rows.flatMap(({ arm, contextTokens, divergences }) => divergences.map((divergence) => ({ arm, contextTokens, ...divergence })));
  if (all.length === 0) return html``;
  const contexts = [...new Set(all.map(({ contextTokens }) => contextTokens))].sort((a, b) => a - b);
  return html`${[...groupBy(all, ({ reference, axis }) => JSON.stringify([reference, axis])).values()].map((own) => {
    const [first] = own;
    if (first === undefined) return html``;
    const ofHeads = own.every(({ meanOfHeads }) => meanOfHeads !== null);
    return html`<p>Jensen-Shannon divergence in nats (0 to 0.693) of the attention of each arm to that of ${first.reference}, on the axis ${first.axis}${name}; ${ofHeads ? 'mean over heads of the divergence of each' : 'divergence of the mean over heads'}. Table 1 of Zhong et al. has this shape; its magnitudes exceed what such a divergence can be, so compare orders.</p>${table(
      `JS to ${first.reference}`,
      [{ head: 'arm' }, ...contexts.map((context) => ({ head: `at ${context}`, numeric: true }))],
      [...groupBy(own, ({ arm }) => arm.id).values()].map((ofArm) => [
        ofArm[0]?.arm.label ?? '',
        ...contexts.map((context) => {
          const found = ofArm.find(({ contextTokens }) => contextTokens === context);
          const value = ofHeads ? found?.meanOfHeads : found?.ofMean;
          return found?.isReference === true ? 'reference' : value == null ? NOTHING : value.toFixed(4);
        }),
      ]),
    )}`;
  })}`;
}

async function distributionFigure(chart: DistributionChart, at: string, name: string): Promise<Markup> {
  const { arm, axis, curves } = chart;
  const shown = shownCurves(curves);
  const title = `${arm.label}: where attention goes${name}${axis === 'fraction' ? '' : `, by ${axis}`}`;
  const hasHeads = shown.every(({ points }) => points.every(({ least }) => least !== null));
  const description = `Mean attention over ${AXIS_TITLES[axis]}, at ${shown.map(({ contextTokens }) => contextTokens).join(', ')} tokens; logarithmic. The table below has the numbers.`;
  const svg = await drawnSvg(distributionSpec(chart), { elementId: `distribution-${at}`, title, description });
  return html`<figure id="distribution-figure-${at}"><figcaption><h3>${title}</h3><p>line: mean over layers and heads${hasHeads ? ' · band: smallest to largest head' : ' · heads were not stored'} · masses below ${LEAST_MASS} are drawn there${shown.length < curves.length ? ` · ${shown.length} of ${curves.length} lengths` : ''}</p></figcaption>
<div class="scroll">${svg}</div>
<details><summary>Numbers</summary>${partsTable(chart)}</details></figure>
`;
}

/** Shares of the axis whose mass a table has. */
const PARTS = 10;

function partsTable({ curves }: DistributionChart): Markup {
  return table(
    `Mass in the first bin (key 0 on fraction and index), and in each tenth of the other bins`,
    [{ head: 'context', numeric: true }, { head: 'first bin', numeric: true }, ...Array.from({ length: PARTS }, (_, part) => ({ head: `${part * 10}-${part * 10 + 10} %`, numeric: true }))],
    curves.map(({ contextTokens, bins, points }) => {
      const [first, ...others] = points;
      const group = Math.max(1, Math.round(bins / points.length));
      const masses = new Array<number>(PARTS).fill(0);
      for (const [at, { mass }] of others.entries()) masses[Math.floor((PARTS * at) / others.length)] = (masses[Math.floor((PARTS * at) / others.length)] ?? 0) + group * mass;
      return [contextTokens, ((first?.mass ?? 0) * group).toFixed(4), ...masses.map((mass) => mass.toFixed(4))];
    }),
  );
}
