/** How much of a page figures may take: what does not fit is counted, so that the page can say what it leaves out. */
import type { Markup } from './markup.js';

export interface Drawn {
  readonly figures: readonly Markup[];
  /** Figures that did not fit. */
  readonly left: number;
}

/** Figures one after the other (Vega holds a whole scene in memory) while they take less than so many characters together. */
export async function drawWithin<Item>(items: readonly Item[], characters: number, draw: (item: Item, at: number) => Promise<Markup>): Promise<Drawn> {
  const figures: Markup[] = [];
  let taken = 0;
  for (const [at, item] of items.entries()) {
    if (taken >= characters) break;
    const figure = await draw(item, at);
    taken += figure.text.length;
    figures.push(figure);
  }
  return { figures, left: items.length - figures.length };
}
