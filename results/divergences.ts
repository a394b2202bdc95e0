/**
 * Jensen-Shannon divergences between attention cells, derived in the store as soon as both cells are measured: by whoever
 * ends a shard, and by a submission, whose cells another sweep may have measured.
 */
import { inflateRawSync } from 'node:zlib';
import { commonBins, jensenShannon, meanJensenShannon, withBins } from '../domain/divergence.js';
import type { CellKey, SweepId } from '../domain/ids.js';
import type { DivergenceRow } from '../domain/rows.js';
import type { ResolvedTask } from '../domain/task.js';
import type { KeyAxis } from '../domain/taskSpec.js';
import type { Client } from './database.js';

/** Derives what is missing for the sweep's current revision; saying it again changes nothing. */
export async function deriveDivergences(transaction: Client, sweep: SweepId): Promise<void> {
  const [revision] = await transaction.$queryRaw<{ tasks: readonly ResolvedTask[] }[]>`
    SELECT r.tasks FROM sweeps s JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision WHERE s.id = ${sweep}`;
  for (const [index, task] of (revision?.tasks ?? []).entries()) {
    if (task.kind !== 'attention') continue;
    for (const { method, continualPretrainContextTokens, contextTokens } of task.references) {
      const references = await transaction.$queryRaw<{ key: CellKey }[]>`
        SELECT m.cell_key AS key FROM memberships m JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
        WHERE m.sweep_id = ${sweep} AND m.task = ${index} AND m.state = 'measured' AND m.context_tokens = ${contextTokens}
          AND (a.method_label = ${method} OR a.method ->> 'name' = ${method})
          AND a.continual_pretrain_context_tokens IS NOT DISTINCT FROM ${continualPretrainContextTokens}
        ORDER BY a.ordinal`;
      for (const { key } of references) await compareAll(transaction, sweep, index, key);
    }
  }
}

interface Distribution {
  readonly key: CellKey;
  readonly axis: KeyAxis;
  readonly mean: readonly number[];
  readonly heads: Uint8Array | null;
}

/** Every measured cell of the task against one reference, axis by axis; cells that were compared before are left alone. */
async function compareAll(transaction: Client, sweep: SweepId, task: number, reference: CellKey): Promise<void> {
  const own = await transaction.$queryRaw<Distribution[]>`
    SELECT cell_key AS key, axis::text AS axis, mean, heads FROM attention_distributions WHERE cell_key = ${reference}`;
  for (const theirs of own) {
    const others = await transaction.$queryRaw<Distribution[]>`
      SELECT DISTINCT d.cell_key AS key, d.axis::text AS axis, d.mean, d.heads
      FROM memberships m JOIN attention_distributions d ON d.cell_key = m.cell_key AND d.axis = ${theirs.axis}::key_axis
      WHERE m.sweep_id = ${sweep} AND m.task = ${task} AND m.state = 'measured' AND NOT EXISTS (
        SELECT FROM attention_divergences v WHERE v.cell_key = m.cell_key AND v.reference_key = ${reference} AND v.axis = d.axis)`;
    const derived = others.flatMap(({ key, mean, heads }) => {
      const bins = commonBins(theirs.axis, mean.length, theirs.mean.length);
      if (bins === null) return [];
      return [{
        key,
        meanOfHeads: heads === null || theirs.heads === null ? null : headsDivergence({ heads, bins: mean.length }, { heads: theirs.heads, bins: theirs.mean.length }, bins),
        ofMean: jensenShannon(withBins(mean, mean.length, bins), withBins(theirs.mean, theirs.mean.length, bins)),
      }];
    });
    if (derived.length === 0) continue;
    await transaction.$executeRaw`
      INSERT INTO attention_divergences (cell_key, reference_key, axis, mean_of_heads, of_mean)
      SELECT r.key, ${reference}, ${theirs.axis}::key_axis, r."meanOfHeads", r."ofMean"
      FROM jsonb_to_recordset(${JSON.stringify(derived)}::jsonb) AS r(key text, "meanOfHeads" float8, "ofMean" float8)
      ORDER BY r.key
      ON CONFLICT (cell_key, reference_key, axis) DO NOTHING`;
  }
}

interface Heads {
  readonly heads: Uint8Array;
  readonly bins: number;
}

/** Heads one by one, where both cells have as many: a sweep has one base. */
function headsDivergence(a: Heads, b: Heads, bins: number): number | null {
  const [p, q] = [a, b].map((one) => withBins(floatsOf(one.heads), one.bins, bins));
  return p !== undefined && q?.length === p.length ? meanJensenShannon(p, q, bins) : null;
}

function floatsOf(deflated: Uint8Array): Float32Array {
  const bytes = inflateRawSync(deflated);
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

/** Of these cells to cells of the same sweep and task; whichever sweep named the references. */
export const readDivergences = (client: Client, sweep: SweepId, keys: readonly CellKey[]): Promise<DivergenceRow[]> => client.$queryRaw<DivergenceRow[]>`
  SELECT DISTINCT v.cell_key AS key, v.axis::text AS axis, v.reference_key AS "referenceKey", r.arm_id AS "referenceArmId",
         r.context_tokens AS "referenceContextTokens", v.mean_of_heads AS "meanOfHeads", v.of_mean AS "ofMean"
  FROM attention_divergences v
  JOIN memberships m ON m.cell_key = v.cell_key AND m.sweep_id = ${sweep}
  JOIN memberships r ON r.cell_key = v.reference_key AND r.sweep_id = ${sweep} AND r.task = m.task
  WHERE v.cell_key = ANY (${keys}::text[])
  ORDER BY key, "referenceKey", "referenceArmId", axis`;
