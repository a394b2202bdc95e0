/** Names of figures, for elements of the page and for files: what a figure is called, so that they outlive a change of the order. */

const slug = (title: string): string => title.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');

/** `needle-yarn-8-continued-at-1024`; of equal titles the second ends with `-2`. */
export function figureNames(kind: string, titles: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return titles.map((title) => {
    const name = `${kind}-${slug(title)}`;
    const nth = (seen.get(name) ?? 0) + 1;
    seen.set(name, nth);
    return nth === 1 ? name : `${name}-${nth}`;
  });
}
