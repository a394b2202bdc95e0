/** HTML that is escaped unless it was made here: text from specs, stores and workers never becomes markup. */

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** For element content and quoted attribute values. Control characters, which HTML forbids, become U+FFFD. */
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '').replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, '\ufffd');

/** The text of escaped HTML. */
export const unescapeHtml = (html: string): string => Object.entries(ENTITIES).reduceRight((text, [character, entity]) => text.replaceAll(entity, character), html);

/** A piece of finished HTML. */
export class Markup {
  constructor(readonly text: string) {}
}

export type Content = Markup | string | number | readonly Content[];

const render = (content: Content): string => {
  if (content instanceof Markup) return content.text;
  if (typeof content === 'string') return escapeHtml(content);
  return typeof content === 'number' ? String(content) : content.map(render).join('');
};

/** A template of HTML: what is put into it is escaped, Markup and lists of it excepted. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.reduce((text, part, at) => text + render(values[at - 1] ?? '') + part));
}

export interface Column {
  readonly head: string;
  /** Numbers stand at the right. */
  readonly numeric?: boolean;
}

/** Columns of a table from which paper is turned. */
const WIDE_COLUMNS = 13;

/** A table with a caption; the first cell of each row is its header. */
export function table(caption: string, columns: readonly Column[], rows: readonly (readonly Content[])[]): Markup {
  const css = (at: number): Markup => new Markup(columns[at]?.numeric === true ? ' class="number"' : '');
  const cell = (content: Content, at: number): Markup =>
    at === 0 ? html`<th scope="row"${css(at)}>${content}</th>` : html`<td${css(at)}>${content}</td>`;
  return html`<div class="scroll"><table${new Markup(columns.length < WIDE_COLUMNS ? '' : ' class="wide"')}><caption>${caption}</caption>
<thead><tr>${columns.map(({ head }, at) => html`<th scope="col"${css(at)}>${head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody></table></div>`;
}
