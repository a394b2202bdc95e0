/**
 * How often each head of an arm retrieves, added up as its cells are recorded: SQL cannot read the packed heads of a cell, and
 * nobody reads a million of them to draw one table.
 */
import type { ArmId } from '../domain/ids.js';
import { HEAD_PROBES, type NeedleNumbers } from '../domain/measurement.js';
import type { Client } from './database.js';

/** @param needles first measured for the arm; those without heads add nothing */
export async function addRetrieval(transaction: Client, arm: ArmId, needles: readonly NeedleNumbers[]): Promise<void> {
  const stored = needles.flatMap((needle) => (needle.heads === null ? [] : [retrievalOf(needle.heads, needle.layers * needle.headCount)]));
  const [shape] = needles;
  if (stored.length === 0 || shape === undefined) return;
  const totals = Array.from({ length: shape.layers * shape.headCount }, (_, head) => stored.reduce((sum, scores) => sum + (scores[head] ?? NaN), 0));
  await transaction.$executeRaw`
    INSERT INTO retrieval_heads AS h (arm_id, layers, head_count, cells, totals)
    SELECT ${arm}, ${shape.layers}, ${shape.headCount}, ${stored.length}, ARRAY(SELECT value::float8 FROM jsonb_array_elements_text(${JSON.stringify(totals)}::jsonb) WITH ORDINALITY AS each(value, place) ORDER BY place)
    ON CONFLICT (arm_id) DO UPDATE SET
      cells = h.cells + excluded.cells,
      totals = ARRAY(SELECT mine + theirs FROM unnest(h.totals, excluded.totals) WITH ORDINALITY AS each(mine, theirs, place) ORDER BY place)`;
}

/** The probe `retrieval` of one cell: [layers][heads]. */
function retrievalOf(heads: string, count: number): number[] {
  const bytes = Buffer.from(heads, 'base64');
  const from = HEAD_PROBES.indexOf('retrieval') * count;
  return Array.from({ length: count }, (_, head) => bytes.readFloatLE((from + head) * 4));
}
