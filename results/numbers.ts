/**
 * The numbers of measured cells, one table a task. They go as JSON in one parameter: numbers reach PostgreSQL as the
 * shortest text that names the double, so they are stored exactly. (Prisma's own lists of floats lose the last bits.)
 */
import { deflateRawSync } from 'node:zlib';
import type { ArmId, CellKey } from '../domain/ids.js';
import type { AttentionNumbers, CellResult, NeedleNumbers, PerplexityNumbers } from '../domain/measurement.js';
import type { Client } from './database.js';
import { headEnvelope } from './headEnvelope.js';
import { addRetrieval } from './retrievalHeads.js';

type Keyed<Numbers> = Numbers & { readonly key: CellKey };

/**
 * @param first keys whose measurement is new: what others measured first keeps its numbers
 * @param arm of the shard that they were measured for
 */
export async function insertNumbers(transaction: Client, first: readonly CellKey[], results: readonly CellResult[], arm: ArmId): Promise<void> {
  const isFirst = new Set(first);
  const needles: Keyed<NeedleNumbers>[] = [];
  const perplexities: Keyed<PerplexityNumbers>[] = [];
  const attentions: Keyed<AttentionNumbers>[] = [];
  for (const result of results) {
    if (result.state !== 'measured' || !isFirst.has(result.key)) continue;
    const { key } = result;
    if ('needle' in result) needles.push({ key, ...result.needle });
    else if ('perplexity' in result) perplexities.push({ key, ...result.perplexity });
    else attentions.push({ key, ...result.attention });
  }
  if (needles.length > 0) {
    await insertNeedles(transaction, needles);
    await addRetrieval(transaction, arm, needles);
  }
  if (perplexities.length > 0) await insertPerplexities(transaction, perplexities);
  if (attentions.length > 0) await insertAttentions(transaction, attentions);
}

/** Axes come from a membership; all that have the cell agree on them. */
const insertNeedles = (transaction: Client, needles: readonly Keyed<NeedleNumbers>[]) => transaction.$executeRaw`
  INSERT INTO needle_results (
    cell_key, depth, seed, exact_match, token_recall, string_recall, generated_text, answers, answer_ids, top1_ids, generated_ids, nll,
    sum_nll, token_count, margins, entropy_first, entropy, entropy_teacher_forced, entropy_of_mean, entropy_normalized,
    max_probability, sink_mass, sink_mass_4, local_mass, local_tokens, needle_mass, needle_lift, retrieval_score,
    heads, layers, head_count, needle_start, needle_tokens)
  SELECT r.key, m.depth, m.seed, r."exactMatch", r."tokenRecall", r."stringRecall", r."generatedText", r.answers, r."answerIds", r."top1Ids",
         coalesce(r."generatedIds", '{}'), r.nll, r."sumNll", r."tokenCount", r.margins, r."entropyFirst", r.entropy,
         r."entropyTeacherForced", r."entropyOfMean", r."entropyNormalized", r."maxProbability", r."sinkMass", r."sinkMass4",
         r."localMass", r."localTokens", r."needleMass", r."needleLift", r."retrievalScore",
         decode(r.heads, 'base64'), r.layers, r."headCount", r."needleStart", r."needleTokens"
  FROM jsonb_to_recordset(${JSON.stringify(needles)}::jsonb) AS r(
    key text, "exactMatch" boolean, "tokenRecall" float8, "stringRecall" float8, "generatedText" text, answers text[], "answerIds" int[],
    "top1Ids" int[], "generatedIds" int[], nll float8[], "sumNll" float8, "tokenCount" int, margins float8[],
    "entropyFirst" float8, entropy float8, "entropyTeacherForced" float8, "entropyOfMean" float8, "entropyNormalized" float8,
    "maxProbability" float8, "sinkMass" float8, "sinkMass4" float8, "localMass" float8, "localTokens" int,
    "needleMass" float8, "needleLift" float8, "retrievalScore" float8,
    heads text, layers int, "headCount" int, "needleStart" int, "needleTokens" int)
  JOIN LATERAL (SELECT depth, seed FROM memberships WHERE cell_key = r.key LIMIT 1) AS m ON true`;

const insertPerplexities = (transaction: Client, perplexities: readonly Keyed<PerplexityNumbers>[]) => transaction.$executeRaw`
  INSERT INTO perplexity_results (
    cell_key, document, nll, token_bytes, window_tokens, window_starts, sum_nll, token_count, byte_count)
  SELECT r.key, m.document, r.nll, coalesce(r."tokenBytes", '{}'), r."windowTokens", r."windowStarts", r."sumNll", r."tokenCount", r."byteCount"
  FROM json_to_recordset(${JSON.stringify(perplexities)}::json) AS r(
    key text, nll float4[], "tokenBytes" int2[], "windowTokens" int, "windowStarts" int[], "sumNll" float8, "tokenCount" int, "byteCount" int)
  JOIN LATERAL (SELECT document FROM memberships WHERE cell_key = r.key LIMIT 1) AS m ON true`;

async function insertAttentions(transaction: Client, attentions: readonly Keyed<AttentionNumbers>[]): Promise<void> {
  await transaction.$executeRaw`
    INSERT INTO attention_results (cell_key, layers, head_count, documents, rows, entropy, entropy_normalized, sink_mass)
    SELECT r.key, r.layers, r."headCount", r.documents, r.rows, r.entropy, r."entropyNormalized", r."sinkMass"
    FROM jsonb_to_recordset(${JSON.stringify(attentions.map((numbers) => ({ ...numbers, distributions: undefined })))}::jsonb) AS r(
      key text, layers int, "headCount" int, documents int, rows int, entropy float8, "entropyNormalized" float8, "sinkMass" float8)`;
  const distributions = attentions.flatMap(({ key, distributions: own }) =>
    own.map(({ axis, mean, heads, bins }) => ({ key, axis, mean, ...(heads === null ? { heads, p10: [], p90: [] } : { heads: packHeads(heads), ...headEnvelope(heads, bins) }) })),
  );
  await transaction.$executeRaw`
    INSERT INTO attention_distributions (cell_key, axis, mean, heads, heads_p10, heads_p90)
    SELECT r.key, r.axis, r.mean, decode(r.heads, 'base64'), r.p10, r.p90
    FROM json_to_recordset(${JSON.stringify(distributions)}::json) AS r(key text, axis key_axis, mean float8[], heads text, p10 float8[], p90 float8[])`;
}

/** Arrays per head compress well on long axes, where most mass is on few keys. */
const packHeads = (base64: string): string => deflateRawSync(Buffer.from(base64, 'base64')).toString('base64');
