/** `--rows perplexity`: losses by context length, derived from the longest (docs/perplexity.md). */
import { bitsPerByte, perplexity, type LossSum } from '../../domain/perplexity.js';
import { gather } from '../gathered.js';
import { perplexityCharts, type PerplexityChart } from '../perplexityCurves.js';
import { armColumns, type OfArm } from './armColumns.js';
import { result, type Column } from './column.js';
import type { SweepSource } from '../source.js';
import { exportTable } from './table.js';

interface LengthRow extends OfArm {
  readonly chart: PerplexityChart;
  readonly contextTokens: number;
  /** null: all documents together. */
  readonly document: string | null;
  readonly documents: number;
  readonly missing: number;
  readonly losses: LossSum;
  readonly last: LossSum;
}

/** Those of the arm that say what is compared. */
const ARM = ['arm', 'armId', 'model', 'method', 'originalContextTokens', 'continualPretrainContextTokens', 'effectiveScale', 'logitScale'];

const COLUMNS: readonly Column<LengthRow>[] = [
  ...armColumns<LengthRow>().filter(({ name }) => ARM.includes(name)),
  result('task', 'int64', "index into the sweep file's tasks, from 0", ({ chart }) => chart.task),
  result('windows', 'string', '`first`, `sliding` or `disjoint`', ({ chart }) => chart.view.windows.kind),
  result('strideTokens', 'int64, tokens', 'of sliding windows', ({ chart }) => ('strideTokens' in chart.view.windows ? chart.view.windows.strideTokens : null)),
  result('contextTokens', 'int64, tokens', 'L', ({ contextTokens }) => contextTokens),
  result('document', 'string', 'id of the document; none = all together', ({ document }) => document),
  result('documentName', 'string', 'file and row, or seed; none where the current revision does not have it', ({ chart, document }) => (document === null ? null : (chart.names.get(document) ?? null))),
  result('documents', 'int64', 'how many the row holds', ({ documents }) => documents),
  result('missingDocuments', 'int64', 'documents of the arm that have no numbers at this length', ({ missing }) => missing),
  result('sumNll', 'double, nats', 'sum of the counted losses', ({ losses }) => losses.sumNll),
  result('tokenCount', 'int64, tokens', 'how many', ({ losses }) => losses.tokenCount),
  result('byteCount', 'int64, bytes', 'UTF-8 bytes of their text; none where tokens are no text', ({ losses }) => losses.byteCount),
  result('perplexity', 'double', 'exp(`sumNll` / `tokenCount`)', ({ losses }) => perplexity(losses)),
  result('bitsPerByte', 'double, bits', '`sumNll` / (ln 2 x `byteCount`)', ({ losses }) => bitsPerByte(losses)),
  result('lastTokens', 'int64, tokens', 'k of last-k', ({ chart }) => chart.view.lastTokens),
  result('lastSumNll', 'double, nats', 'sum of the last k losses of every window of L tokens', ({ last }) => last.sumNll),
  result('lastTokenCount', 'int64, tokens', 'how many', ({ last }) => last.tokenCount),
  result('lastPerplexity', 'double', 'exp(`lastSumNll` / `lastTokenCount`)', ({ last }) => perplexity(last)),
];

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const lengthRows = (chart: PerplexityChart, head: SweepSource['head']): LengthRow[] =>
  chart.curves.flatMap(({ arm, points }) =>
    points.flatMap(({ contextTokens, documents, missing, losses, last }): LengthRow[] => {
      if (documents.length === 0) return [];
      const common = { head, chart, arm, contextTokens };
      const each = [...documents].sort((a, b) => byText(a.document, b.document));
      return [
        { ...common, document: null, documents: documents.length, missing, losses, last },
        ...each.map((one) => ({ ...common, document: one.document, documents: 1, missing: 0, losses: one.losses, last: one.last })),
      ];
    }),
  );

/** Of all documents the sums at once, for shorter lengths are derived from longer ones, and arms share the lengths of their task. */
async function* pages(source: SweepSource): AsyncGenerator<readonly LengthRow[]> {
  for (const chart of perplexityCharts(await gather(source, { kinds: ['perplexity'] }))) yield lengthRows(chart, source.head);
}

export const PERPLEXITY = exportTable(
  'Perplexity by context length: for every task, arm and length a row of all documents together (`document` is none), then one of each document. Lengths where nothing is measured have no row.',
  COLUMNS,
  pages,
);
