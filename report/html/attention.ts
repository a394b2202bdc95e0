/** Attention in the HTML report: a table of arms and context lengths for each attention task. */
import { ATTENTION_NOTE, attentionColumns } from '../attentionFace.js';
import type { AttentionTable } from '../attentionRows.js';
import { html, table, type Markup } from './markup.js';

/** The section of all attention tasks; nothing without one. */
export function attentionSection(tables: readonly AttentionTable[]): Markup {
  if (tables.length === 0) return html``;
  const drawn = tables.map((attention) => {
    const { heads, rows } = attentionColumns(attention);
    const caption = `Attention${tables.length > 1 ? `, task ${attention.task}` : ''}: mean over documents, rows, layers and heads. ${ATTENTION_NOTE}`;
    return html`<div class="scroll">${table(caption, heads.map((head, at) => ({ head, numeric: at > 0 })), rows)}</div>
`;
  });
  return html`<section><h2>Attention</h2>${drawn}</section>
`;
}
