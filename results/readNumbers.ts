/**
 * The numbers of measured cells as they were given to the store (results/numbers.ts), one query a task.
 */
import { inflateRawSync } from 'node:zlib';
import { groupBy } from '../domain/groupBy.js';
import type { CellKey } from '../domain/ids.js';
import type { AttentionNumbers, NeedleNumbers, PerplexityNumbers } from '../domain/measurement.js';
import type { KeyAxis } from '../domain/taskSpec.js';
import type { Client } from './database.js';

/** The digest of a cell's tokens stands with its measurement. */
export type Stored<Numbers> = Omit<Numbers, 'tokenDigest'>;

type Keyed<Columns> = Columns & { readonly key: CellKey };

/** Rows by their key, each without it. */
function byKey<Columns extends object, Value>(rows: readonly Keyed<Columns>[], read: (columns: Omit<Keyed<Columns>, 'key'>, key: CellKey) => Value): Map<CellKey, Value> {
  return new Map(rows.map(({ key, ...columns }) => [key, read(columns, key)]));
}

type NeedleColumns = Omit<NeedleNumbers, 'heads' | 'generatedIds' | 'tokenDigest'> & {
  readonly heads: Uint8Array | null;
  readonly generatedIds: readonly number[];
};

export async function readNeedles(client: Client, keys: readonly CellKey[]): Promise<Map<CellKey, Stored<NeedleNumbers>>> {
  if (keys.length === 0) return new Map();
  const rows = await client.$queryRaw<Keyed<NeedleColumns>[]>`
    SELECT cell_key AS key, exact_match AS "exactMatch", token_recall AS "tokenRecall", string_recall AS "stringRecall",
           generated_text AS "generatedText", answers, answer_ids AS "answerIds", top1_ids AS "top1Ids", generated_ids AS "generatedIds",
           nll, sum_nll AS "sumNll", token_count AS "tokenCount", margins, entropy_first AS "entropyFirst",
           entropy, entropy_teacher_forced AS "entropyTeacherForced", entropy_of_mean AS "entropyOfMean",
           entropy_normalized AS "entropyNormalized", max_probability AS "maxProbability", sink_mass AS "sinkMass",
           sink_mass_4 AS "sinkMass4", local_mass AS "localMass", local_tokens AS "localTokens", needle_mass AS "needleMass",
           needle_lift AS "needleLift", retrieval_score AS "retrievalScore", heads, layers, head_count AS "headCount",
           needle_start AS "needleStart", needle_tokens AS "needleTokens"
    FROM needle_results WHERE cell_key = ANY (${keys}::text[])`;
  return byKey(rows, ({ heads, generatedIds, ...numbers }) => ({
    ...numbers,
    generatedIds: generatedIds.length > 0 ? generatedIds : null,
    heads: heads === null ? null : Buffer.from(heads).toString('base64'),
  }));
}

type PerplexityColumns = Omit<PerplexityNumbers, 'tokenBytes' | 'tokenDigest'> & { readonly tokenBytes: readonly number[] };

/** @param withTokens whether the losses of single tokens are read too; else there are none */
export async function readPerplexities(client: Client, keys: readonly CellKey[], withTokens: boolean): Promise<Map<CellKey, Stored<PerplexityNumbers>>> {
  if (keys.length === 0) return new Map();
  const rows = await client.$queryRaw<Keyed<PerplexityColumns>[]>`
    SELECT cell_key AS key, CASE WHEN ${withTokens} THEN nll::float8[] ELSE '{}' END AS nll,
           CASE WHEN ${withTokens} THEN token_bytes ELSE '{}' END AS "tokenBytes", window_tokens AS "windowTokens",
           window_starts AS "windowStarts", sum_nll AS "sumNll", token_count AS "tokenCount", byte_count AS "byteCount"
    FROM perplexity_results WHERE cell_key = ANY (${keys}::text[])`;
  return byKey(rows, ({ tokenBytes, ...numbers }) => ({ ...numbers, tokenBytes: numbers.byteCount === null ? null : tokenBytes }));
}

type AttentionColumns = Omit<AttentionNumbers, 'distributions' | 'tokenDigest'>;
type DistributionColumns = { readonly axis: KeyAxis; readonly mean: readonly number[]; readonly heads: Uint8Array | null };

/** @param withHeads whether distributions of every head are read too */
export async function readAttentions(client: Client, keys: readonly CellKey[], withHeads: boolean): Promise<Map<CellKey, Stored<AttentionNumbers>>> {
  if (keys.length === 0) return new Map();
  const rows = await client.$queryRaw<Keyed<AttentionColumns>[]>`
    SELECT cell_key AS key, layers, head_count AS "headCount", documents, rows, entropy, entropy_normalized AS "entropyNormalized",
           sink_mass AS "sinkMass"
    FROM attention_results WHERE cell_key = ANY (${keys}::text[])`;
  const distributions = await client.$queryRaw<Keyed<DistributionColumns>[]>`
    SELECT cell_key AS key, axis::text AS axis, mean, CASE WHEN ${withHeads} THEN heads END AS heads FROM attention_distributions
    WHERE cell_key = ANY (${keys}::text[]) ORDER BY cell_key, attention_distributions.axis`;
  const ofCell = groupBy(distributions, ({ key }) => key);
  return byKey(rows, (numbers, key) => ({
    ...numbers,
    distributions: (ofCell.get(key) ?? [])
      .map(({ axis, mean, heads }) => ({ axis, bins: mean.length, mean, heads: heads === null ? null : inflateRawSync(heads).toString('base64') })),
  }));
}
