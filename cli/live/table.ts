/** Text that fits a width, and tables that give up columns where a terminal is narrow. Widths are in character cells. */
import sliceAnsi from 'slice-ansi';
import stringWidth from 'string-width';

/** `text` in exactly `width` cells; what is too long is cut and says so. */
export function fit(text: string, width: number, align: 'left' | 'right' = 'left', ellipsis = '…'): string {
  const own = stringWidth(text);
  if (own > width) {
    const room = width - stringWidth(ellipsis);
    if (room <= 0) return ' '.repeat(Math.max(0, width));
    // A character of two cells may begin in the last one, and is kept whole.
    const begun = sliceAnsi(text, 0, room);
    const cut = `${stringWidth(begun) > room ? sliceAnsi(text, 0, room - 1) : begun}${ellipsis}`;
    return cut + ' '.repeat(width - stringWidth(cut));
  }
  const space = ' '.repeat(width - own);
  return align === 'left' ? text + space : space + text;
}

/** Those of the parts that fit beside each other, the first ones before later ones. */
export function joinFitting(parts: readonly string[], width: number, gap = '  '): string {
  let line = '';
  for (const part of parts) {
    const longer = line === '' ? part : line + gap + part;
    if (stringWidth(longer) <= width) line = longer;
  }
  return line === '' && parts[0] !== undefined ? fit(parts[0], width).trimEnd() : line;
}

/** Text at both ends of a line; the right one gives way. */
export function ends(left: string, right: string, width: number): string {
  const room = width - stringWidth(right) - 2;
  return room >= stringWidth(left) ? fit(left, room) + '  ' + right : fit(left, width);
}

export interface Column<Row> {
  readonly head: string;
  readonly text: (row: Row) => string;
  readonly align?: 'left' | 'right';
  /** Columns with the highest number are given up first. */
  readonly giveUp: number;
  /** May be cut down to this width before any column is given up. */
  readonly least?: number;
}

const GAP = 2;

/** Head line and one line a row, each at most `width` cells; a column without text in any row is left out. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width: number, paintHead: (head: string) => string, ellipsis = '…'): string[] {
  let shown = columns
    .map((column) => {
      const texts = rows.map(column.text);
      const content = Math.max(0, ...texts.map((text) => stringWidth(text)));
      return { ...column, texts, content, full: Math.max(content, stringWidth(column.head)) };
    })
    .filter(({ content }) => content > 0);
  const needed = (): number => shown.reduce((sum, { full, least }) => sum + Math.min(full, least ?? full) + GAP, -GAP);
  while (shown.length > 1 && needed() > width) {
    const worst = Math.max(...shown.map(({ giveUp }) => giveUp));
    shown = shown.filter(({ giveUp }) => giveUp !== worst);
  }
  let spare = width - needed();
  const widths = shown.map(({ full, least }) => {
    const start = Math.min(full, least ?? full);
    const more = Math.min(full - start, Math.max(0, spare));
    spare -= more;
    return start + more;
  });
  const line = (texts: readonly string[]): string =>
    fit(texts.map((text, at) => fit(text, widths[at] ?? 0, shown[at]?.align, ellipsis)).join(' '.repeat(GAP)), width, 'left', ellipsis).trimEnd();
  return [paintHead(line(shown.map(({ head }) => head))), ...rows.map((_, row) => line(shown.map(({ texts }) => texts[row] ?? '')))];
}
