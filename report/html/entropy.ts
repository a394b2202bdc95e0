/** Entropy in the HTML report: against context length, and of passing against failing cells within a length. */
import { hasSeveralTasks, type ArmGrid } from '../aggregate.js';
import { entropyAndCount, NOTHING } from '../armSummary.js';
import { entropyText } from '../cellFace.js';
import { needleEntropyCurves, type EntropyCurve } from '../entropyCurves.js';
import { plural } from '../labels.js';
import { ENTROPY_WIDTH, entropyByLengthSpec, entropySplitSpec, splitLayout } from './entropySpec.js';
import { html, table, type Markup } from './markup.js';
import { drawnSvg } from './svg.js';

/** Lines that a chart keeps apart. */
const DRAWN_CURVES = 20;
/** Panels of passing against failing cells. */
const DRAWN_PANELS = 24;

/** Nothing without numbers. */
export async function entropyFigure(curves: readonly EntropyCurve[], elementId: string, title: string, note: string): Promise<Markup> {
  if (curves.length === 0) return html``;
  const contexts = [...new Set(curves.flatMap(({ points }) => points.map(({ contextTokens }) => contextTokens)))].sort((a, b) => a - b);
  const shown = curves.slice(0, DRAWN_CURVES);
  const description = `Lines of mean attention entropy over context length (${contexts[0] ?? 0} to ${contexts.at(-1) ?? 0} tokens) for ${plural(shown.length, 'arm')}; the table below has the numbers.`;
  const svg = await drawnSvg(entropyByLengthSpec(shown), { elementId, title, description });
  return html`<figure id="figure-of-${elementId}" style="max-width: ${ENTROPY_WIDTH + 32}px"><figcaption><h3>${title}</h3><p>${note} · dotted: ln n, the most that n keys allow${shown.length < curves.length ? ` · the first ${shown.length} of ${curves.length} arms` : ''}</p></figcaption>
<div class="scroll">${svg}</div>
<details><summary>Numbers</summary>${table(
    `${title}, nats`,
    [{ head: 'arm' }, ...contexts.map((context) => ({ head: String(context), numeric: true }))],
    curves.map(({ label, points }) => [label, ...contexts.map((context) => { const found = points.find(({ contextTokens }) => contextTokens === context); return found === undefined ? NOTHING : entropyText(found.entropy); })]),
  )}</details></figure>
`;
}

/** The section of needle tasks. */
export async function entropySection(grids: readonly ArmGrid[]): Promise<Markup> {
  const severalTasks = hasSeveralTasks(grids);
  const tasks = [...new Set(grids.map(({ task }) => task))];
  const curves: Markup[] = [];
  for (const task of tasks) {
    const own = needleEntropyCurves(grids.filter((grid) => grid.task === task));
    curves.push(await entropyFigure(own, `needle-entropy-${task}`, `Entropy of needle cells by context length${severalTasks ? `, task ${task}` : ''}`, 'mean over depths and seeds, passing and failing cells together'));
  }
  if (curves.every(({ text }) => text === '')) return html``;
  return html`<section id="needle-entropy"><h2>Attention entropy of needle cells</h2>${curves}${await splitFigure(grids.filter(({ entropySplits }) => entropySplits.length > 0), severalTasks)}</section>
`;
}

async function splitFigure(grids: readonly ArmGrid[], severalTasks: boolean): Promise<Markup> {
  if (grids.length === 0) return html`<p>No arm has passing and failing cells at one length, so their entropies cannot be compared.</p>`;
  const titleOf = ({ arm, task }: ArmGrid): string => (severalTasks ? `${arm.label}, task ${task}` : arm.label);
  const shown = grids.slice(0, DRAWN_PANELS);
  const title = 'Entropy of passing and of failing cells within a length';
  const description = `For ${plural(shown.length, 'arm')} the mean entropy of passing (circles) and of failing cells (triangles) at each length that has both; the table below has the numbers.`;
  const svg = await drawnSvg(entropySplitSpec(shown, titleOf), { elementId: 'entropy-split', title, description });
  return html`<figure id="figure-of-entropy-split" style="max-width: ${splitLayout(shown.map(titleOf)).width + 32}px"><figcaption><h3>${title}</h3><p>only lengths that have both; never across lengths${shown.length < grids.length ? ` · the first ${shown.length} of ${grids.length} arms` : ''}</p></figcaption>
<div class="scroll">${svg}</div>
<details><summary>Numbers</summary>${table(
    'Mean entropy in nats (cells)',
    [{ head: 'arm' }, { head: 'context', numeric: true }, { head: 'passing', numeric: true }, { head: 'failing', numeric: true }],
    grids.flatMap((grid) => grid.entropySplits.map(({ contextTokens, passing, failing }) => [titleOf(grid), contextTokens, entropyAndCount(passing), entropyAndCount(failing)])),
  )}</details></figure>
`;
}
