/**
 * Taking hold of a shard.
 */
import { RopesweepError } from '../domain/errors.js';
import type { CellKey, ShardId } from '../domain/ids.js';
import { tableAt, type NamedTable } from '../domain/plan.js';
import type { LeasedShard, Place } from '../domain/ports.js';
import type { ComputeDtype } from '../domain/engine.js';
import type { JobCellOf, ShardJob } from '../domain/slot.js';
import type { AxesOf, ResolvedTask, TaskKind } from '../domain/task.js';
import { adoptForShard } from './adoption.js';
import type { Client } from './database.js';
import { openAttempt } from './attempts.js';
import { handOn } from './handOn.js';
import { findShard, lockShard, refuseMixed, type ShardRow } from './shardRow.js';
import { OPEN_SHARDS, shardStatesBefore } from './transitions.js';

export async function endedShards(client: Client, shards: readonly ShardId[]): Promise<ShardId[]> {
  const rows = await client.$queryRaw<{ id: ShardId }[]>`
    SELECT id FROM shards WHERE id = ANY (${shards}::text[]) AND state <> ALL (${OPEN_SHARDS}::shard_state[])`;
  const ended = new Set(rows.map((row) => row.id));
  return shards.filter((shard) => ended.has(shard));
}

/**
 * Raises the lease number: whoever held the shard before can write no more.
 *
 * @returns null if the shard has ended or its sweep does not run
 * @throws RopesweepError FINGERPRINT_MIXED, and then the shard is as it was.
 */
export async function lease(transaction: Client, shard: ShardId, place: Place): Promise<LeasedShard | null> {
  const before = await lockShard(transaction, shard);
  if (!shardStatesBefore('leased').includes(before.state)) return null;
  const row = await findShard(transaction, shard);
  // A sweep that is paused or has ended starts nothing more, whatever workflow still asks.
  const sweep = await transaction.sweep.findUniqueOrThrow({ where: { id: row.sweep }, select: { state: true } });
  if (sweep.state !== 'running') return null;
  refuseMixed(row, place);
  await handOn(transaction, row);
  await adoptForShard(transaction, shard);
  await transaction.$executeRaw`
    UPDATE shards SET state = 'leased', lease = lease + 1, attempts = attempts + 1, leased_by = ${place.worker}, leased_at = now()
    WHERE id = ${shard}`;
  await openAttempt(transaction, { shard, number: row.lease + 1 }, place);
  return { lease: { shard, number: row.lease + 1 }, attempt: row.attempts + 1, job: await jobOf(transaction, row) };
}

async function jobOf(client: Client, row: ShardRow): Promise<ShardJob> {
  const { task, dtype } = await jobTask(client, row);
  const common = { shardId: row.id, checkpoint: { folder: row.folder, weightsId: row.weightsId }, dtype, flops: row.flops };
  switch (task.kind) {
    case 'needle':
      return { ...common, task, ...(await jobCells(client, row, task.kind)) };
    case 'perplexity':
      return { ...common, task, ...(await jobCells(client, row, task.kind)) };
    case 'attention':
      return { ...common, task, ...(await jobCells(client, row, task.kind)) };
  }
}

async function jobTask(client: Client, row: ShardRow): Promise<{ task: ResolvedTask; dtype: ComputeDtype }> {
  const revision = await client.revision.findUniqueOrThrow({
    where: { sweepId_number: { sweepId: row.sweep, number: row.revision } },
    select: { tasks: true, dtype: true },
  });
  const task = (revision.tasks as unknown as readonly ResolvedTask[])[row.task];
  if (task === undefined) throw new RopesweepError('INTERNAL', { where: `sweep ${row.sweep}`, what: `its revision has no task ${row.task}` });
  return { task, dtype: revision.dtype as ComputeDtype };
}

/** The axes of a cell as columns: those of its task are not null. */
interface OpenCell {
  readonly key: CellKey;
  readonly contextTokens: number;
  readonly depth: number;
  readonly seed: number;
  readonly document: string;
}

const AXES: { readonly [K in TaskKind]: (cell: OpenCell) => AxesOf[K] } = {
  needle: ({ depth, seed }) => ({ depth, seed }),
  perplexity: ({ document }) => ({ document }),
  attention: () => ({}),
};

async function jobCells<K extends TaskKind>(client: Client, row: ShardRow, kind: K): Promise<{ cells: JobCellOf<K>[]; tables: NamedTable[] }> {
  const open = await client.$queryRaw<OpenCell[]>`
    SELECT cell_key AS key, context_tokens AS "contextTokens", depth, seed, document FROM memberships
    WHERE shard_id = ${row.id} AND state = 'planned' ORDER BY ordinal`;
  const tables: NamedTable[] = [];
  const cells = open.map((cell) => {
    const { key, contextTokens } = cell;
    const used = tableAt({ label: row.armLabel, tables: row.tables }, contextTokens);
    let table = tables.findIndex(({ digest }) => digest === used.digest);
    if (table < 0) table = tables.push(used) - 1;
    return { key, contextTokens, table, axes: AXES[kind](cell) };
  });
  return { cells, tables };
}
