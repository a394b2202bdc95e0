/**
 * Perplexity by context length as rows: for each task, arm and length first all documents together, then each by itself, in an
 * order that does not depend on the run. Described in docs/export.md; a test holds it against this list.
 */
import { bitsPerByte, perplexity, type LossSum } from '../../domain/perplexity.js';
import type { ArmRow, SweepRows } from '../../domain/rows.js';
import { perplexityCharts, type PerplexityChart } from '../perplexityCurves.js';
import { formatted, type ExportFormat, type Value } from './formatted.js';

interface LengthRow {
  readonly chart: PerplexityChart;
  readonly arm: ArmRow;
  readonly contextTokens: number;
  /** null: all documents together. */
  readonly document: string | null;
  readonly documents: number;
  readonly missing: number;
  readonly losses: LossSum;
  readonly last: LossSum;
}

export const PERPLEXITY_COLUMNS: Readonly<Record<string, (row: LengthRow) => Value>> = {
  arm: ({ arm }) => arm.label,
  armId: ({ arm }) => arm.id,
  model: ({ arm }) => arm.model,
  method: ({ arm }) => arm.method.name,
  originalContextTokens: ({ arm }) => arm.originalContextTokens,
  continualPretrainContextTokens: ({ arm }) => arm.continualPretrainContextTokens,
  effectiveScale: ({ arm }) => arm.effectiveScale,
  logitScale: ({ arm }) => arm.logitScale,
  task: ({ chart }) => chart.task,
  windows: ({ chart }) => chart.view.windows.kind,
  strideTokens: ({ chart }) => ('strideTokens' in chart.view.windows ? chart.view.windows.strideTokens : null),
  contextTokens: ({ contextTokens }) => contextTokens,
  document: ({ document }) => document,
  documentName: ({ chart, document }) => (document === null ? null : (chart.names.get(document) ?? null)),
  documents: ({ documents }) => documents,
  missingDocuments: ({ missing }) => missing,
  sumNll: ({ losses }) => losses.sumNll,
  tokenCount: ({ losses }) => losses.tokenCount,
  byteCount: ({ losses }) => losses.byteCount,
  perplexity: ({ losses }) => perplexity(losses),
  bitsPerByte: ({ losses }) => bitsPerByte(losses),
  lastTokens: ({ chart }) => chart.view.lastTokens,
  lastSumNll: ({ last }) => last.sumNll,
  lastTokenCount: ({ last }) => last.tokenCount,
  lastPerplexity: ({ last }) => perplexity(last),
};

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const lengthRows = (chart: PerplexityChart): LengthRow[] =>
  chart.curves.flatMap(({ arm, points }) =>
    points.flatMap(({ contextTokens, documents, missing, losses, last }): LengthRow[] => {
      if (documents.length === 0) return [];
      const common = { chart, arm, contextTokens };
      const each = [...documents].sort((a, b) => byText(a.document, b.document));
      return [
        { ...common, document: null, documents: documents.length, missing, losses, last },
        ...each.map((one) => ({ ...common, document: one.document, documents: 1, missing: 0, losses: one.losses, last: one.last })),
      ];
    }),
  );

/** The text in pieces, each a whole number of lines; lengths where nothing is measured have no row. */
export function exportPerplexity(rows: SweepRows, format: ExportFormat): Generator<string> {
  const columns = Object.values(PERPLEXITY_COLUMNS);
  return formatted(format, Object.keys(PERPLEXITY_COLUMNS), perplexityCharts(rows).flatMap(lengthRows), (row) => columns.map((value) => value(row)));
}
