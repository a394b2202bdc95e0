/**
 * Trying cells again that have no numbers: their outcomes are forgotten, those of a larger device class too, and new shards get them.
 * Other sweeps that have such a cell show its last outcome until there is a new one.
 */
import type { CellKey, ShardId, SweepId } from '../domain/ids.js';
import { groupBy } from '../domain/groupBy.js';
import type { OutcomeRow } from '../domain/ports.js';
import { belongsTo, classOfCell, holdsFor, OF_REVISION } from './cellOutcome.js';
import type { Client } from './database.js';
import { IS_FORESEEN } from './foreseen.js';
import { Prisma } from './generated/client.js';
import { insertPart } from './shardParts.js';

const KEY = Prisma.sql`x.cell_key`;

/** Outcomes that somebody tried for; what the plan foresaw as infeasible would be foreseen again. */
export const isRetryable = ({ attempts }: OutcomeRow): boolean => attempts > 0;

/** @returns cells that are planned again */
export async function retryCells(transaction: Client, sweep: SweepId, keys: readonly CellKey[]): Promise<number> {
  await transaction.$queryRaw`SELECT id FROM sweeps WHERE id = ${sweep} FOR NO KEY UPDATE`;
  await transaction.$executeRaw`
    UPDATE outcomes o SET forgotten = true FROM sweeps s JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    WHERE s.id = ${sweep} AND o.cell_key = ANY (${[...keys]}::text[]) AND NOT ${IS_FORESEEN}
      AND ${belongsTo(OF_REVISION)}`;
  const again = await transaction.$queryRaw<{ key: CellKey; shard: ShardId; tokens: number; deviceClass: string }[]>`
    UPDATE memberships m SET state = 'planned'
    FROM (
      SELECT x.sweep_id, x.cell_key, x.arm_id, ${classOfCell(KEY, OF_REVISION)} AS class FROM memberships x
      JOIN sweeps s ON s.id = x.sweep_id
      JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
      WHERE x.sweep_id = ${sweep} AND x.cell_key = ANY (${[...keys]}::text[]) AND x.state IN ('failed', 'infeasible') AND x.shard_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM outcomes o WHERE ${holdsFor(KEY, OF_REVISION)})
      ORDER BY x.cell_key, x.arm_id FOR UPDATE OF x
    ) AS chosen
    WHERE (m.sweep_id, m.cell_key, m.arm_id) = (chosen.sweep_id, chosen.cell_key, chosen.arm_id)
    RETURNING m.cell_key AS key, m.shard_id AS shard, m.context_tokens AS tokens, chosen.class AS "deviceClass"`;
  for (const [shard, ofShard] of groupBy(again, (cell) => cell.shard)) {
    const [whole] = await transaction.$queryRaw<{ tokens: bigint }[]>`SELECT cost_prompt_tokens AS tokens FROM shards WHERE id = ${shard}`;
    for (const [deviceClass, cells] of groupBy(ofShard, (cell) => cell.deviceClass)) {
      const tokens = cells.reduce((sum, cell) => sum + cell.tokens, 0);
      await insertPart(transaction, shard, { keys: cells.map(({ key }) => key), share: Math.min(1, tokens / Math.max(1, Number(whole?.tokens ?? 1))), crashes: 0, deviceClass });
    }
  }
  return again.length;
}
