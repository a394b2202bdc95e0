/** A heat map as a static SVG element: compiled by Vega-Lite, drawn by Vega, with a title and a description. */
import { parse, View } from 'vega';
import { compile } from 'vega-lite';
import { RopesweepError } from '../../domain/errors.js';
import type { ArmGrid } from '../aggregate.js';
import { plural } from '../labels.js';
import { figureSpec, FONT } from './figureSpec.js';
import { html, Markup } from './markup.js';

/** What the figure shows, for those who cannot see it. */
function description(grid: ArmGrid): string {
  const { arm, contexts, depths, reach } = grid;
  const continued =
    arm.continualPretrainContextTokens === null ? 'The checkpoint was not continued.' : `Dashed line: continued at ${arm.continualPretrainContextTokens} tokens.`;
  return [
    `Heat map of recall over ${plural(contexts.length, 'context length')} (${contexts[0] ?? 0} to ${contexts.at(-1) ?? 0} tokens) and ${plural(depths.length, 'depth')};`,
    'numbers are mean attention entropies in nats.',
    `${continued} Dotted line: trained length of the base, ${arm.originalContextTokens} tokens.`,
    reach === null ? 'No tested length has a recall of 90 %.' : `Reach: ${reach.contextTokens} tokens.`,
  ].join(' ');
}

/** Without what the root says already; the gradient of the legend, which Vega numbers by process, named by the figure. */
const compacted = (svg: string, elementId: string): string =>
  svg
    .replaceAll(` font-family="${FONT}"`, '')
    .replaceAll(' opacity="1"', '')
    .replace(/\b(id="|url\(#)gradient_\d+/g, `$1${elementId}-gradient`);

/**
 * @param elementId unique in the page; prefixes the ids of title and description
 * @param title what the figure is called
 */
export async function figureSvg(grid: ArmGrid, elementId: string, title: string): Promise<Markup> {
  const view = new View(parse(compile(figureSpec(grid)).spec), { renderer: 'none' });
  try {
    const svg = await view.toSVG();
    const head = /<svg[^>]*\bviewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"[^>]*>/.exec(svg);
    if (head === null) throw new RopesweepError('INTERNAL', { where: title, what: 'Vega drew no SVG with a viewBox' });
    const [{ length }, width = '', height = ''] = head;
    const body = new Markup(compacted(svg.slice(head.index + length, svg.lastIndexOf('</svg>')), elementId));
    return html`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="${elementId}-title ${elementId}-desc" font-family="${FONT}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><title id="${elementId}-title">${title}</title><desc id="${elementId}-desc">${description(grid)}</desc>${body}</svg>`;
  } finally {
    view.finalize();
  }
}
