/**
 * The cells of a sweep on their way in: copied to a table of the transaction, then inserted by one statement. A million
 * cells as parameters would cost Node and PostgreSQL more than storing them.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { RopesweepError } from '../domain/errors.js';
import type { ArmId, CellKey, ShardId, SweepId } from '../domain/ids.js';
import type { PlanClasses, PlannedCell } from '../domain/plan.js';
import type { CellOrigin } from '../domain/states.js';
import { forgetOutcomes, holdsFor, IS_OF_PLACE, ofPlan } from './cellOutcome.js';
import type { Client } from './database.js';
import { IS_FORESEEN } from './foreseen.js';
import { Prisma } from './generated/client.js';
import { holdOffPruning } from './pruning.js';

/** The shard that has a cell to compute, by arm and key: arms with equal tables share keys. */
export type ShardOfCell = ReadonlyMap<ArmId, ReadonlyMap<CellKey, ShardId>>;

/** Which revision of which sweep the cells belong to, and which outcomes hold for it. */
export interface RevisionPlace extends PlanClasses {
  readonly sweep: SweepId;
  readonly revision: number;
}

/** Of a staged cell `c`. */
const KEY = Prisma.sql`c.key`;

export type StagedCell = PlannedCell & { readonly origin?: CellOrigin };

/** Bytes of one message to PostgreSQL, about. */
const COPY_CHARACTERS = 65_536;

/**
 * Fills `submitted_cells`, which ends with the transaction, whatever ends it.
 *
 * @param cells in the order in which they are to be stored: what lies together is read together. Of a cell that an arm has
 * twice the first counts. Those without an origin are of the grid.
 * @param firstOrdinal of these cells
 */
export async function stageCells(transaction: Client, connection: pg.ClientBase, cells: readonly StagedCell[], shardOfCell: ShardOfCell, firstOrdinal = 0): Promise<void> {
  await holdOffPruning(transaction);
  await transaction.$executeRaw`
    CREATE TEMPORARY TABLE submitted_cells (
      key text NOT NULL, arm text NOT NULL, task int NOT NULL, kind task_kind NOT NULL, context int NOT NULL, depth float8, seed int,
      document text, ordinal int NOT NULL, origin cell_origin NOT NULL, shard text) ON COMMIT DROP`;
  await pipeline(Readable.from(copyText(cells, shardOfCell, firstOrdinal)), connection.query(copyFrom('COPY submitted_cells FROM STDIN')));
  await transaction.$executeRaw`ANALYZE submitted_cells`;
}

const NULL = '\\N';

/** Keys, ids and numbers hold nothing that COPY would read otherwise. */
function* copyText(cells: readonly StagedCell[], shardOfCell: ShardOfCell, firstOrdinal: number): Generator<string> {
  const seen = new Map<ArmId, Set<CellKey>>();
  let text = '';
  for (const [index, cell] of cells.entries()) {
    const { key, armId } = cell;
    let ofArm = seen.get(armId);
    if (ofArm === undefined) seen.set(armId, (ofArm = new Set()));
    if (ofArm.has(key)) continue;
    ofArm.add(key);
    const depth = cell.taskKind === 'needle' ? cell.axes.depth : NULL;
    const seed = cell.taskKind === 'needle' ? cell.axes.seed : NULL;
    const document = cell.taskKind === 'perplexity' ? cell.axes.document : NULL;
    const shard = shardOfCell.get(armId)?.get(key) ?? NULL;
    text += `${key}\t${armId}\t${cell.task}\t${cell.taskKind}\t${cell.contextTokens}\t${depth}\t${seed}\t${document}\t${firstOrdinal + index}\t${cell.origin ?? 'grid'}\t${shard}\n`;
    if (text.length < COPY_CHARACTERS) continue;
    yield text;
    text = '';
  }
  yield text;
}

/**
 * Forgets of the staged cells, and of those that refinement had added, what earlier plans foresaw and what lay in the place where they
 * were tried.
 */
export async function forgetStaged(transaction: Client, place: RevisionPlace): Promise<void> {
  const keys = Prisma.sql`SELECT key FROM submitted_cells UNION ALL SELECT cell_key FROM memberships WHERE sweep_id = ${place.sweep} AND origin <> 'grid'`;
  await forgetOutcomes(transaction, ofPlan(place), keys, Prisma.sql`(${IS_OF_PLACE} OR ${IS_FORESEEN})`);
}

/**
 * Since the plan was made, measurements that it counts on may have been pruned: nobody would compute these cells.
 *
 * @throws RopesweepError PLAN_STALE
 */
export async function refuseStale(transaction: Client, place: RevisionPlace): Promise<void> {
  const [lost] = await transaction.$queryRaw<{ cells: number }[]>`
    SELECT count(*)::int AS cells FROM submitted_cells c
    WHERE c.shard IS NULL
      AND NOT EXISTS (SELECT FROM measurements x WHERE x.cell_key = c.key)
      AND NOT EXISTS (SELECT FROM outcomes o WHERE ${holdsFor(KEY, ofPlan(place))})
      AND NOT EXISTS (SELECT FROM submitted_cells t WHERE t.key = c.key AND t.shard IS NOT NULL)`;
  if (lost === undefined || lost.cells === 0) return;
  throw new RopesweepError('PLAN_STALE', { where: `sweep ${place.sweep}`, what: `${lost.cells} cells that the plan found in the store are no longer there` });
}

/**
 * Makes the staged cells members of the sweep. They get the state the store knows now, which may be newer than the plan's.
 * A sweep that has some of them already has their order, task and shard brought up to date.
 *
 * Whoever adds members holds the sweep, so none come between the two statements. One with ON CONFLICT would look twice for
 * each of a million cells and log it twice.
 */
export async function insertMembers(transaction: Client, place: RevisionPlace): Promise<void> {
  const { sweep, revision } = place;
  const state = Prisma.sql`coalesce(x.state::text, o.state::text, 'planned')::cell_state`;
  const known = Prisma.sql`LEFT JOIN measurements x ON x.cell_key = c.key LEFT JOIN outcomes o ON ${holdsFor(KEY, ofPlan(place))}`;
  // By key, as everybody locks memberships: what follows goes in the order of the plan.
  await transaction.$queryRaw`
    SELECT count(*)::int FROM (
      SELECT FROM memberships m JOIN submitted_cells c ON c.key = m.cell_key AND c.arm = m.arm_id
      WHERE m.sweep_id = ${sweep} ORDER BY m.cell_key, m.arm_id FOR UPDATE OF m) AS locked`;
  await transaction.$executeRaw`
    UPDATE memberships m SET
      last_revision = ${revision}, task = c.task, ordinal = c.ordinal, state = ${state}, origin = c.origin,
      shard_id = CASE WHEN ${state} = 'planned' THEN c.shard ELSE m.shard_id END
    FROM submitted_cells c ${known}
    WHERE (m.sweep_id, m.cell_key, m.arm_id) = (${sweep}, c.key, c.arm)`;
  await transaction.$executeRaw`
    INSERT INTO memberships (
      sweep_id, cell_key, arm_id, revision, last_revision, task, task_kind, context_tokens, depth, seed, document, ordinal, state, origin,
      shard_id)
    SELECT ${sweep}, c.key, c.arm, ${revision}, ${revision}, c.task, c.kind, c.context, c.depth, c.seed, c.document, c.ordinal, ${state},
           c.origin, c.shard
    FROM submitted_cells c ${known}
    WHERE NOT EXISTS (SELECT FROM memberships m WHERE (m.sweep_id, m.cell_key, m.arm_id) = (${sweep}, c.key, c.arm))
    ORDER BY c.ordinal`;
}

/** Points planned cells of the sweep to the shards that were staged for them. */
export async function moveToShards(transaction: Client, sweep: SweepId): Promise<void> {
  await transaction.$executeRaw`
    UPDATE memberships m SET shard_id = moved.shard
    FROM (
      SELECT m.sweep_id, m.cell_key, m.arm_id, c.shard
      FROM submitted_cells c JOIN memberships m ON m.cell_key = c.key AND m.sweep_id = ${sweep} AND m.arm_id = c.arm
      WHERE m.state = 'planned' ORDER BY m.cell_key, m.arm_id FOR UPDATE OF m
    ) AS moved
    WHERE (m.sweep_id, m.cell_key, m.arm_id) = (moved.sweep_id, moved.cell_key, moved.arm_id)`;
}

/** Cells without numbers that the sweep no longer plans leave it; everything measured stays. */
export async function leaveUnplanned(transaction: Client, sweep: SweepId, revision: number): Promise<void> {
  await transaction.$executeRaw`
    DELETE FROM memberships
    WHERE sweep_id = ${sweep} AND last_revision < ${revision} AND state NOT IN ('measured', 'diverged')`;
}
