/**
 * Extending a sweep's current revision by cells that refinement asks for: one transaction. Its plan stays what it is; the
 * cells are members beside those of the plan, with the origin that says so.
 *
 * Saying it twice is saying it once, from two processes as well: a cell that an open shard has already is left to it.
 */
import type pg from 'pg';
import type { ArmId, CellKey, SweepId } from '../domain/ids.js';
import type { NamedTable, Plan, PlanClasses, PlannedCell, PlannedShard } from '../domain/plan.js';
import type { KnownScore } from '../domain/ports.js';
import type { Refinement } from '../domain/refinement.js';
import type { SweepSpec } from '../domain/spec.js';
import type { CellOrigin, CellState, SweepState } from '../domain/states.js';
import { chunks } from './chunks.js';
import { holdsFor, IS_OF_PLACE, ofPlan } from './cellOutcome.js';
import type { Client } from './database.js';
import { foresee } from './foreseen.js';
import { Prisma } from './generated/client.js';
import { insertMembers, refuseStale, stageCells } from './memberships.js';
import { insertShards } from './plannedShards.js';
import { addTables, currentRevision, json, pinFingerprints, resume } from './submission.js';
import { OPEN_SHARDS } from './transitions.js';

export interface Extension {
  readonly plan: PlanClasses & Pick<Plan, 'sweep' | 'arms' | 'digest'>;
  readonly spec: Pick<SweepSpec, 'mixFingerprints'>;
  /** Cells beside the grid that refinement used so far or wants next; those that are members already may be left out. */
  readonly cells: readonly (Extract<PlannedCell, { taskKind: 'needle' }> & { readonly origin: CellOrigin })[];
  /** Of those to compute. */
  readonly shards: readonly PlannedShard[];
  /** By arm, tables at lengths that the plan does not have. */
  readonly tables: ReadonlyMap<ArmId, Readonly<Record<string, NamedTable>>>;
  readonly refinement: Refinement;
}

/** Where a sweep takes no more: a person holds or ends it. */
const HELD: readonly SweepState[] = ['paused', 'stopping', 'cancelling', 'stopped', 'cancelled'];

/**
 * @param connection the one that the transaction runs on
 * @returns cells that new shards have now; null where another plan is the sweep's current revision or a person holds the sweep:
 * then nothing is changed
 */
export async function extendSweep(transaction: Client, connection: pg.ClientBase, extension: Extension): Promise<number | null> {
  const { plan, spec, cells, tables, refinement } = extension;
  const revision = await currentRevision(transaction, plan.sweep);
  if (revision?.planDigest !== plan.digest || HELD.includes(await stateOf(transaction, plan.sweep))) return null;
  for (const [arm, more] of tables) if (Object.keys(more).length > 0) await addTables(transaction, plan.sweep, arm, more);
  const held = await cellsInOpenShards(transaction, plan.sweep, cells.map(({ key }) => key));
  const shards = await freshShards(transaction, extension, new Set(held.map(({ key }) => key)));
  const shardOfCell = await insertShards(transaction, { ...plan, shards }, revision.number, [], shards);
  const [last] = await transaction.$queryRaw<{ ordinal: number | null }[]>`SELECT max(ordinal) AS ordinal FROM memberships WHERE sweep_id = ${plan.sweep}`;
  const underWay = new Set(held.map(({ armId, key }) => `${armId}/${key}`));
  await stageCells(transaction, connection, cells.filter(({ armId, key }) => !underWay.has(`${armId}/${key}`)), shardOfCell, (last?.ordinal ?? -1) + 1);
  const place = { ...plan, revision: revision.number };
  await foresee(transaction, plan.engineVersion, cells);
  await refuseStale(transaction, place);
  await insertMembers(transaction, place);
  await pinFingerprints(transaction, plan.sweep, spec);
  await transaction.sweep.update({ where: { id: plan.sweep }, data: { refinement: json(refinement) } });
  await resume(transaction, plan.sweep);
  return shards.reduce((sum, { cellKeys }) => sum + cellKeys.length, 0);
}

async function stateOf(transaction: Client, sweep: SweepId): Promise<SweepState> {
  return (await transaction.sweep.findUniqueOrThrow({ where: { id: sweep }, select: { state: true } })).state;
}

interface HeldCell {
  readonly armId: ArmId;
  readonly key: CellKey;
}

/** Those of the cells that an open shard has to compute, of whichever arm. */
export const cellsInOpenShards = (client: Client, sweep: SweepId, keys: readonly CellKey[]): Promise<HeldCell[]> =>
  client.$queryRaw<HeldCell[]>`
    SELECT m.arm_id AS "armId", m.cell_key AS key
    FROM memberships m JOIN shards h ON h.id = m.shard_id
    WHERE m.sweep_id = ${sweep} AND m.cell_key = ANY (${keys}::text[]) AND m.state = 'planned' AND h.state = ANY (${OPEN_SHARDS}::shard_state[])`;

/** Without cells that somebody computes, or that came to an end, since the extension was planned. */
async function freshShards(transaction: Client, { plan, shards }: Extension, held: ReadonlySet<CellKey>): Promise<PlannedShard[]> {
  const keys = shards.flatMap(({ cellKeys }) => cellKeys);
  const rows = await transaction.$queryRaw<{ key: CellKey }[]>`
    SELECT cell_key AS key FROM measurements WHERE cell_key = ANY (${keys}::text[])
    UNION
    SELECT asked.key FROM unnest(${keys}::text[]) AS asked(key) JOIN outcomes o ON ${holdsFor(Prisma.sql`asked.key`, ofPlan(plan))}`;
  const ended = new Set(rows.map(({ key }) => key));
  return shards.flatMap((shard) => {
    const cellKeys = shard.cellKeys.filter((key) => !held.has(key) && !ended.has(key));
    return cellKeys.length === 0 ? [] : [{ ...shard, cellKeys }];
  });
}

interface ScoreRow {
  readonly key: CellKey;
  readonly state: Exclude<CellState, 'planned'>;
  readonly exactMatch: boolean | null;
  readonly tokenRecall: number | null;
  readonly stringRecall: number | null;
}

/** How those of the needle cells came out that have an end, whatever sweep they were measured for; as results/planning.ts knownCells. */
export async function knownScores(client: Client, keys: readonly CellKey[], classes: PlanClasses): Promise<Map<CellKey, KnownScore>> {
  const known = new Map<CellKey, KnownScore>();
  for (const some of chunks(keys)) {
    const rows = await client.$queryRaw<ScoreRow[]>`
      SELECT asked.key, coalesce(m.state::text, o.state::text) AS state, n.exact_match AS "exactMatch", n.token_recall AS "tokenRecall", n.string_recall AS "stringRecall"
      FROM unnest(${some}::text[]) AS asked(key)
      LEFT JOIN measurements m ON m.cell_key = asked.key
      LEFT JOIN needle_results n ON n.cell_key = asked.key AND m.state = 'measured'
      LEFT JOIN outcomes o ON ${holdsFor(Prisma.sql`asked.key`, ofPlan(classes))} AND NOT ${IS_OF_PLACE}
      WHERE m.cell_key IS NOT NULL OR o.cell_key IS NOT NULL`;
    for (const { key, state, exactMatch, tokenRecall, stringRecall } of rows) {
      known.set(key, { state, numbers: exactMatch === null || tokenRecall === null ? null : { exactMatch, tokenRecall, stringRecall } });
    }
  }
  return known;
}
