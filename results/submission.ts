/**
 * Submitting a plan: one transaction, after which the sweep's current revision is this plan.
 *
 * Locks are taken in one order by every transaction of the store: sweep, arms, shards, measurements, memberships (by cell
 * key), progress.
 */
import type pg from 'pg';
import { NUMERICS_VERSION } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import type { ArmId, SweepId } from '../domain/ids.js';
import type { Plan, PlannedArm, PlannedShard } from '../domain/plan.js';
import type { Submission } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import { adoptForSweep } from './adoption.js';
import { forgetOutcomes, holdsFor, IS_OF_PLACE, ofPlan } from './cellOutcome.js';
import type { Client } from './database.js';
import { deriveDivergences } from './divergences.js';
import { foresee, IS_FORESEEN } from './foreseen.js';
import { Prisma } from './generated/client.js';
import { forgetStaged, insertMembers, leaveUnplanned, moveToShards, refuseStale, stageCells, type RevisionPlace } from './memberships.js';
import { insertShards, lockOpenShards } from './plannedShards.js';
import { endState } from './sweepEnd.js';
import { OPEN_SHARDS } from './transitions.js';

/** Above this the queries that follow at once must not wait for PostgreSQL to look at its statistics by itself. */
const ANALYZE_CELLS = 5_000;

/** What Prisma stores as JSON: plain values without undefined. */
export const json = (value: unknown): Prisma.InputJsonValue => JSON.parse(JSON.stringify(value)) as Prisma.InputJsonValue;

/**
 * Makes the plan the sweep's current revision, or finds that it is already: then the sweep goes on.
 *
 * @param connection the one that the transaction runs on
 * @throws RopesweepError FINGERPRINT_MIXED if cached cells have several fingerprints where the spec refuses that.
 */
export async function submit(transaction: Client, connection: pg.ClientBase, spec: SweepSpec, plan: Plan): Promise<Submission> {
  const current = await currentRevision(transaction, plan.sweep);
  const same =
    current?.planDigest === plan.digest && current.deviceClass === plan.deviceClass && current.largerDeviceClass === plan.largerDeviceClass && current.engineVersion === plan.engineVersion;
  const revision = same ? current.number : (current?.number ?? 0) + 1;
  const { sweep, deviceClass, largerDeviceClass, engineVersion } = plan;
  const place: RevisionPlace = { sweep, revision, deviceClass, largerDeviceClass, engineVersion };
  if (!same) await insertRevision(transaction, revision, spec, plan);
  await upsertArms(transaction, plan.sweep, plan.arms);
  const open = await lockOpenShards(transaction, plan.sweep);
  if (same) {
    await forgetAgain(transaction, place);
    await foresee(transaction, engineVersion, plan.cells);
    await planAgain(transaction, place);
    await adoptForSweep(transaction, plan.sweep);
    const shards = await strayShards(transaction, plan);
    const shardOfCell = await insertShards(transaction, plan, revision, open, shards);
    if (shards.length > 0) {
      await stageCells(transaction, connection, plan.cells.filter(({ armId, key }) => shardOfCell.get(armId)?.has(key)), shardOfCell);
      await moveToShards(transaction, plan.sweep);
    }
  } else {
    const shardOfCell = await insertShards(transaction, plan, revision, open, plan.shards);
    await stageCells(transaction, connection, plan.cells, shardOfCell);
    await forgetStaged(transaction, place);
    await foresee(transaction, engineVersion, plan.cells);
    await refuseStale(transaction, place);
    await insertMembers(transaction, place);
    if (current !== null) await leaveUnplanned(transaction, plan.sweep, revision);
    if (plan.cells.length > ANALYZE_CELLS) await transaction.$executeRaw`ANALYZE memberships, shards`;
  }
  await pinFingerprints(transaction, plan.sweep, spec);
  await deriveDivergences(transaction, plan.sweep);
  await resume(transaction, plan.sweep);
  return { sweep: plan.sweep, revision, created: !same };
}

/** Locks the sweep, making it if it is new, and returns its current revision. */
export async function currentRevision(transaction: Client, sweep: SweepId) {
  await transaction.$executeRaw`
    INSERT INTO sweeps (id, state, revision) VALUES (${sweep}, 'running', 0) ON CONFLICT (id) DO NOTHING`;
  await transaction.$executeRaw`INSERT INTO sweep_progress (sweep_id) VALUES (${sweep}) ON CONFLICT (sweep_id) DO NOTHING`;
  const [row] = await transaction.$queryRaw<{ revision: number }[]>`
    SELECT revision FROM sweeps WHERE id = ${sweep} FOR NO KEY UPDATE`;
  if (row === undefined) throw new RopesweepError('INTERNAL', { where: `sweep ${sweep}`, what: 'it was deleted while it was submitted' });
  return transaction.revision.findUnique({ where: { sweepId_number: { sweepId: sweep, number: row.revision } } });
}

async function insertRevision(transaction: Client, number: number, spec: SweepSpec, plan: Plan): Promise<void> {
  await transaction.revision.create({
    data: {
      sweepId: plan.sweep,
      number,
      spec: json(spec),
      planDigest: plan.digest,
      tasks: json(plan.tasks),
      excluded: json(plan.excluded),
      deviceClass: plan.deviceClass,
      largerDeviceClass: plan.largerDeviceClass,
      dtype: plan.dtype,
      engineVersion: plan.engineVersion,
      numericsVersion: NUMERICS_VERSION,
      mixFingerprints: spec.mixFingerprints,
      totalCells: plan.counts.total,
      newCells: plan.counts.new,
      cachedCells: plan.counts.cached,
      failedCells: plan.counts.failed,
      infeasibleCells: plan.counts.infeasible,
      excludedCells: plan.counts.excluded,
      promptTokens: BigInt(plan.cost.promptTokens),
      distinctTokens: BigInt(plan.cost.distinctTokens),
      flops: plan.cost.flops,
      kvBytes: BigInt(plan.cost.kvBytes),
      peakBytes: BigInt(plan.cost.peakBytes),
      resultBytes: BigInt(plan.cost.resultBytes),
    },
  });
  await transaction.sweep.update({ where: { id: plan.sweep }, data: { revision: number, concurrency: spec.concurrency, priority: spec.priority, refinement: Prisma.DbNull } });
}

async function upsertArms(transaction: Client, sweepId: SweepId, arms: readonly PlannedArm[]): Promise<void> {
  for (const [ordinal, arm] of arms.entries()) {
    const row = {
      ordinal,
      label: arm.label,
      model: arm.model,
      method: json(arm.method),
      methodLabel: arm.methodLabel,
      weightsId: arm.checkpoint.weightsId,
      weightFormat: arm.checkpoint.weightFormat,
      notice: arm.notice ?? null,
      checkpointFolder: arm.checkpoint.folder,
      originalContextTokens: arm.originalContextTokens,
      continualPretrainContextTokens: arm.checkpoint.continualPretrainContextTokens,
      training: arm.checkpoint.training === undefined ? Prisma.DbNull : json(arm.checkpoint.training),
      effectiveScale: arm.effectiveScale,
      logitScale: arm.logitScale,
      tables: json(arm.tables),
    };
    const { tables, ...others } = row;
    await transaction.arm.upsert({
      where: { sweepId_armId: { sweepId, armId: arm.id } },
      create: { sweepId, armId: arm.id, ...row },
      update: others,
    });
    await addTables(transaction, sweepId, arm.id, tables);
  }
}

/** An arm's table at a length is always the same: those that refinement added stay, shards may need them. */
export async function addTables(transaction: Client, sweep: SweepId, arm: ArmId, tables: unknown): Promise<void> {
  await transaction.$executeRaw`
    UPDATE arms SET tables = tables || ${json(tables)}::jsonb WHERE sweep_id = ${sweep} AND arm_id = ${arm}`;
}

/** As {@link forgetStaged}, of the cells of the current revision. */
async function forgetAgain(transaction: Client, place: RevisionPlace): Promise<void> {
  const cells = Prisma.sql`SELECT cell_key AS key, state, origin FROM memberships WHERE sweep_id = ${place.sweep}`;
  await forgetOutcomes(transaction, ofPlan(place), cells, Prisma.sql`(${IS_OF_PLACE} AND c.state = 'failed' OR ${IS_FORESEEN} AND c.origin = 'grid')`);
}

/** Cells of the current revision that have no outcome any more are planned again. */
async function planAgain(transaction: Client, place: RevisionPlace): Promise<void> {
  const { sweep } = place;
  await transaction.$executeRaw`
    UPDATE memberships m SET state = 'planned'
    FROM (
      SELECT sweep_id, cell_key, arm_id FROM memberships x
      WHERE sweep_id = ${sweep} AND state IN ('failed', 'infeasible')
        AND NOT EXISTS (SELECT FROM outcomes o WHERE ${holdsFor(Prisma.sql`x.cell_key`, ofPlan(place))})
      ORDER BY cell_key, arm_id FOR UPDATE
    ) AS again
    WHERE (m.sweep_id, m.cell_key, m.arm_id) = (again.sweep_id, again.cell_key, again.arm_id)`;
}

/** Shards of the plan with a planned cell that no open shard has; none but where the plan and a run crossed. */
async function strayShards(transaction: Client, plan: Plan): Promise<PlannedShard[]> {
  const strays = await transaction.$queryRaw<{ cellKey: string }[]>`
    SELECT m.cell_key AS "cellKey" FROM memberships m LEFT JOIN shards h ON h.id = m.shard_id
    WHERE m.sweep_id = ${plan.sweep} AND m.state = 'planned' AND (h.id IS NULL OR h.state <> ALL (${OPEN_SHARDS}::shard_state[]))`;
  const keys = new Set<string>(strays.map(({ cellKey }) => cellKey));
  return plan.shards.filter((shard) => shard.cellKeys.some((key) => keys.has(key)));
}

/** Cached measurements count: an arm's new cells go where its first cell was measured (the sweep's, with `refuse`). */
export async function pinFingerprints(transaction: Client, sweep: SweepId, spec: Pick<SweepSpec, 'mixFingerprints'>): Promise<void> {
  if (spec.mixFingerprints === 'refuse') {
    const found = await transaction.$queryRaw<{ fingerprint: string }[]>`
      SELECT x.fingerprint FROM memberships m JOIN measurements x ON x.cell_key = m.cell_key
      WHERE m.sweep_id = ${sweep} GROUP BY x.fingerprint ORDER BY min(x.measured_at), x.fingerprint`;
    const [first, ...others] = found.map((row) => row.fingerprint);
    if (others.length > 0) {
      throw new RopesweepError('FINGERPRINT_MIXED', {
        where: 'mixFingerprints',
        what: `the store has cells of this sweep from ${[first, ...others].map((name) => `"${String(name)}"`).join(' and ')}`,
        mend: 'Set mixFingerprints to perArm or allow.',
      });
    }
    await transaction.$executeRaw`UPDATE sweeps SET fingerprint = coalesce(fingerprint, ${first ?? null}) WHERE id = ${sweep}`;
  }
  await transaction.$executeRaw`
    UPDATE arms a SET fingerprint = (
      SELECT x.fingerprint FROM memberships m JOIN measurements x ON x.cell_key = m.cell_key
      WHERE m.sweep_id = a.sweep_id AND m.arm_id = a.arm_id ORDER BY x.measured_at, x.cell_key LIMIT 1)
    WHERE a.sweep_id = ${sweep} AND a.fingerprint IS NULL`;
}

/** Running while cells are to be computed; else where its cells put it. */
export async function resume(transaction: Client, sweep: SweepId): Promise<void> {
  const { planned } = await transaction.sweepProgress.findUniqueOrThrow({ where: { sweepId: sweep } });
  const state = planned > 0 ? 'running' : await endState(transaction, sweep);
  await transaction.$executeRaw`UPDATE sweeps SET state = ${state}::sweep_state, reason = NULL, updated_at = now() WHERE id = ${sweep}`;
}
