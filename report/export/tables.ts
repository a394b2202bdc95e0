/** Every kind of rows that can be exported, by the name that `--rows` takes. */
import { ATTENTION, DIVERGENCES, HEADS } from './attentionRows.js';
import { CELLS } from './cellRows.js';
import { PERPLEXITY } from './perplexityRows.js';
import type { ExportTable } from './table.js';

export const ROW_KINDS = ['cells', 'perplexity', 'attention', 'divergences', 'heads'] as const;
export type RowKind = (typeof ROW_KINDS)[number];

export const TABLES: Readonly<Record<RowKind, ExportTable>> = { cells: CELLS, perplexity: PERPLEXITY, attention: ATTENTION, divergences: DIVERGENCES, heads: HEADS };

/** Of all of them together: raised where a column is renamed, removed or changes its type or meaning. */
export const EXPORT_SCHEMA_VERSION = 1;
