/**
 * The figures of a report as files: SVG as the page has it, on white, and PNG. What the page shows is the list of them, so a
 * figure that a section adds is written without further ado.
 */
import { renderAsync, Resvg, type ResvgRenderOptions } from '@resvg/resvg-js';
import { RopesweepError } from '../domain/errors.js';
import { unescapeHtml } from './html/markup.js';

export interface ReportFigure {
  /** Of its files, without extension: letters, digits and dashes, the same for every report of the same arms and tasks. */
  readonly name: string;
  readonly title: string;
  /** What it shows, for those who cannot see it. */
  readonly description: string;
  /** A file by itself. */
  readonly svg: string;
}

/** What drawnSvg makes (html/svg.ts): an element whose id is the kind of figure and a number, with a title and a description. */
const FIGURE = /<svg [^>]*aria-labelledby="([\w-]+)-title [^>]*><title[^>]*>(.*?)<\/title><desc[^>]*>(.*?)<\/desc>.*?<\/svg>/gs;

/** @param html of a report, in the order of the page */
export function figuresIn(html: string): ReportFigure[] {
  const seen = new Map<string, number>();
  return [...html.matchAll(FIGURE)].map(([svg, elementId = '', title = '', description = '']) => ({
    name: nameOf(elementId, unescapeHtml(title), seen),
    title: unescapeHtml(title),
    description: unescapeHtml(description),
    svg: `<?xml version="1.0" encoding="UTF-8"?>\n${svg.replace('</desc>', '</desc><rect width="100%" height="100%" fill="#fff"/>')}\n`,
  }));
}

/** `needle-yarn-8-continued-at-1024`: kind and title, for a number would change with the order; of equal ones the second ends with `-2`. */
function nameOf(elementId: string, title: string, seen: Map<string, number>): string {
  const kind = elementId.replace(/-\d+$/, '');
  const words = title.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
  const name = words.startsWith(kind) ? words : `${kind}-${words}`;
  const nth = (seen.get(name) ?? 0) + 1;
  seen.set(name, nth);
  return nth === 1 ? name : `${name}-${nth}`;
}

/** The page with something put behind each figure. */
export function besideFigures(html: string, beside: (figure: ReportFigure) => string): string {
  const figures = figuresIn(html).values();
  return html.replace(FIGURE, (svg) => {
    const { value } = figures.next();
    return value === undefined ? svg : svg + beside(value);
  });
}

/** Pixels of the PNG for one of the page. */
const SCALE = 2;

/** What stands for the sans-serif of a system: of the width that labels are laid out for. Another one is taken where it is missing. */
const SANS_SERIF: Partial<Record<NodeJS.Platform, string>> = { darwin: 'Helvetica', win32: 'Arial', linux: 'Liberation Sans' };

const OPTIONS: ResvgRenderOptions = {
  background: '#ffffff',
  fitTo: { mode: 'zoom', value: SCALE },
  font: { loadSystemFonts: true, sansSerifFamily: SANS_SERIF[process.platform] ?? 'DejaVu Sans' },
};

const hasFonts = (): boolean =>
  new Resvg('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="8" font-family="sans-serif">n</text></svg>', OPTIONS).innerBBox() !== undefined;

/** @throws RopesweepError FONT_MISSING where the system has no font: the figure would have no words */
export async function pngOf({ name, svg }: Pick<ReportFigure, 'name' | 'svg'>): Promise<Buffer> {
  if (!hasFonts()) throw new RopesweepError('FONT_MISSING', { where: `${name}.png`, what: 'this system has no font to write its words with' });
  return (await renderAsync(svg, OPTIONS)).asPng();
}
