/** A figure as a static SVG element: compiled by Vega-Lite, drawn by Vega, with a title and a description. */
import { setImmediate } from 'node:timers/promises';
import type { TopLevelSpec } from 'vega-lite';
import { RopesweepError } from '../../domain/errors.js';
import { html, Markup } from './markup.js';

export const FONT = 'system-ui, sans-serif';

export interface FigureWords {
  /** Unique in the page; prefixes the ids of title and description. */
  readonly elementId: string;
  /** What the figure is called. */
  readonly title: string;
  /** What it shows, for those who cannot see it. */
  readonly description: string;
}

/**
 * Without what the root says already, and without the roles that Vega gives to groups of marks: the figure is one image, its words and
 * its table say the rest. The gradient of a legend, which Vega numbers by process, is named by the figure.
 */
const compacted = (svg: string, elementId: string): string =>
  svg
    .replaceAll(` font-family="${FONT}"`, '')
    .replaceAll(' opacity="1"', '')
    .replace(/ (?:role="graphics-[a-z]+"|aria-(?:roledescription|label)="[^"]*")/g, '')
    .replace(/\b(id="|url\(#)(gradient|clip)_?\d+/g, `$1${elementId}-$2`);

/**
 * Lets signals and timers have their turn before each figure: Vega computes without a pause. It takes most of a second to load,
 * so only a command that draws loads it.
 *
 * @throws RopesweepError INTERNAL where Vega draws nothing
 */
export async function drawnSvg(spec: TopLevelSpec, { elementId, title, description }: FigureWords): Promise<Markup> {
  await setImmediate();
  const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    const svg = await view.toSVG();
    const head = /<svg[^>]*\bviewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"[^>]*>/.exec(svg);
    if (head === null) throw new RopesweepError('INTERNAL', { where: title, what: 'Vega drew no SVG with a viewBox' });
    const [{ length }, width = '', height = ''] = head;
    const body = new Markup(compacted(svg.slice(head.index + length, svg.lastIndexOf('</svg>')), elementId));
    return html`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="${elementId}-title ${elementId}-desc" font-family="${FONT}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><title id="${elementId}-title">${title}</title><desc id="${elementId}-desc">${description}</desc>${body}</svg>`;
  } finally {
    view.finalize();
  }
}
