/**
 * What a plan foresees is known before anybody tries: cells that cannot fit a device class get that outcome of it, with no attempts.
 */
import type { PlannedCell } from '../domain/plan.js';
import { chunks } from './chunks.js';
import type { Client } from './database.js';

export async function foresee(transaction: Client, engineVersion: string, cells: readonly PlannedCell[]): Promise<void> {
  const refusals = cells.flatMap(({ key, foreseen }) => (foreseen ?? []).map((refusal) => ({ key, ...refusal })));
  refusals.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.deviceClass < b.deviceClass ? -1 : 1));
  for (const some of chunks(refusals)) {
    await transaction.$executeRaw`
      INSERT INTO outcomes (cell_key, device_class, engine_version, state, code, reason, attempts)
      SELECT c.key, c.class, ${engineVersion}, 'infeasible', c.code, c.reason, 0
      FROM unnest(
        ${some.map(({ key }) => key)}::text[],
        ${some.map(({ deviceClass }) => deviceClass)}::text[],
        ${some.map(({ code }) => code)}::text[],
        ${some.map(({ reason }) => reason)}::text[]
      ) AS c(key, class, code, reason)
      ORDER BY c.key, c.class
      ON CONFLICT (cell_key, device_class, engine_version) DO NOTHING`;
  }
}
