/**
 * What a plan foresees is known before anybody tries: cells that cannot fit a device class get that outcome of it, with no attempts.
 * It is the plan's to say, and each plan says it anew: a class may have been described wrongly, or have more memory since.
 */
import type { PlannedCell } from '../domain/plan.js';
import { chunks } from './chunks.js';
import type { Client } from './database.js';
import { Prisma } from './generated/client.js';

/** Of a row `o` of outcomes. */
export const IS_FORESEEN = Prisma.sql`(o.attempts = 0)`;

export async function foresee(transaction: Client, engineVersion: string, cells: readonly PlannedCell[]): Promise<void> {
  const refusals = cells.flatMap(({ key, foreseen }) => (foreseen ?? []).map((refusal) => ({ key, ...refusal })));
  refusals.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.deviceClass < b.deviceClass ? -1 : 1));
  for (const some of chunks(refusals)) {
    await transaction.$executeRaw`
      INSERT INTO outcomes AS o (cell_key, device_class, engine_version, state, code, reason, attempts)
      SELECT DISTINCT ON (c.key, c.class) c.key, c.class, ${engineVersion}, 'infeasible'::outcome_state, c.code, c.reason, 0
      FROM unnest(
        ${some.map(({ key }) => key)}::text[],
        ${some.map(({ deviceClass }) => deviceClass)}::text[],
        ${some.map(({ code }) => code)}::text[],
        ${some.map(({ reason }) => reason)}::text[]
      ) AS c(key, class, code, reason)
      ORDER BY c.key, c.class
      ON CONFLICT (cell_key, device_class, engine_version) DO UPDATE SET
        state = excluded.state, code = excluded.code, reason = excluded.reason, attempts = 0, forgotten = false
      -- What somebody tried holds.
      WHERE o.forgotten`;
  }
}
