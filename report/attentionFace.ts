/** Columns of the attention tables, the same in the terminal and in the HTML report. */
import { NOTHING } from './armSummary.js';
import type { AttentionRow, AttentionTable } from './attentionRows.js';
import { NO_NUMBERS } from './cellFace.js';

export interface AttentionColumns {
  readonly heads: readonly string[];
  /** One a row of the table, as many texts as heads. */
  readonly rows: readonly (readonly string[])[];
}

/** What the columns mean, for notes beside a table. */
export const ATTENTION_NOTE =
  'H: mean entropy in nats; H / ln n: over its bound for n visible keys; sink: mass on key 0; JS: Jensen-Shannon divergence in nats (0 to 0.693) to a reference, mean over heads (of the mean over heads where heads are not stored).';

export function attentionColumns({ rows }: AttentionTable): AttentionColumns {
  const compared = [...new Set(rows.flatMap(({ divergences }) => divergences.map(({ axis, reference }) => `JS to ${reference} (${axis})`)))];
  return {
    heads: ['arm', 'context', 'H', 'H / ln n', 'sink', ...compared],
    rows: rows.map((row) => [row.arm.label, String(row.contextTokens), ...numbersOf(row), ...compared.map((head) => divergenceText(row, head))]),
  };
}

function numbersOf({ numbers, state }: AttentionRow): string[] {
  if (numbers !== null) return [numbers.entropy.toFixed(2), numbers.entropyNormalized.toFixed(3), numbers.sinkMass.toFixed(3)];
  return [state === 'measured' ? NOTHING : NO_NUMBERS[state], NOTHING, NOTHING];
}

function divergenceText({ divergences }: AttentionRow, head: string): string {
  const found = divergences.find(({ axis, reference }) => `JS to ${reference} (${axis})` === head);
  const value = found?.meanOfHeads ?? found?.ofMean;
  return value == null ? NOTHING : value.toFixed(4);
}
