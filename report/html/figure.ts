/** A heat map as a static SVG element, with a title and a description. */
import type { ArmGrid } from '../aggregate.js';
import { plural } from '../labels.js';
import { figureSpec } from './figureSpec.js';
import type { Markup } from './markup.js';
import { drawnSvg } from './svg.js';

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

/**
 * @param elementId unique in the page
 * @param title what the figure is called
 */
export const figureSvg = (grid: ArmGrid, elementId: string, title: string): Promise<Markup> =>
  drawnSvg(figureSpec(grid), { elementId, title, description: description(grid) });
