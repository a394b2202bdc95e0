/**
 * Submitting a plan: one transaction, after which the sweep's current revision is this plan.
 *
 * Locks are taken in one order by every transaction of the store: sweep, arms, shards, measurements, memberships (by cell
 * key), progress.
 */
import { randomUUID } from 'node:crypto';
import { NUMERICS_VERSION } from '../domain/engine.js';
import { PLACE_CODES, RopesweepError } from '../domain/errors.js';
import { digest } from '../domain/identity.js';
import { id, type ShardId, type SweepId } from '../domain/ids.js';
import type { Plan, PlannedArm, PlannedCell, PlannedShard } from '../domain/plan.js';
import type { Submission } from '../domain/ports.js';
import type { SweepSpec } from '../domain/spec.js';
import { adoptForSweep } from './adoption.js';
import { chunks } from './chunks.js';
import type { Client } from './database.js';
import { deriveDivergences } from './divergences.js';
import type { Prisma } from './generated/client.js';
import { endState } from './sweepEnd.js';
import { OPEN_SHARDS } from './transitions.js';

/** Above this the queries that follow at once must not wait for PostgreSQL to look at its statistics by itself. */
const ANALYZE_CELLS = 5_000;

/** What Prisma stores as JSON: plain values without undefined. */
const json = (value: unknown): Prisma.InputJsonValue => JSON.parse(JSON.stringify(value)) as Prisma.InputJsonValue;

/**
 * Makes the plan the sweep's current revision, or finds that it is already: then the sweep goes on.
 *
 * @throws RopesweepError FINGERPRINT_MIXED if cached cells have several fingerprints where the spec refuses that.
 */
export async function submit(transaction: Client, spec: SweepSpec, plan: Plan): Promise<Submission> {
  const current = await currentRevision(transaction, plan.sweep);
  const same =
    current?.planDigest === plan.digest && current.deviceClass === plan.deviceClass && current.engineVersion === plan.engineVersion;
  const revision = same ? current.number : (current?.number ?? 0) + 1;
  if (!same) await insertRevision(transaction, revision, spec, plan);
  await upsertArms(transaction, plan.sweep, plan.arms);
  const open = await lockOpenShards(transaction, plan.sweep);
  await planAgain(transaction, plan);
  await foresee(transaction, plan);
  if (same) {
    await adoptForSweep(transaction, plan.sweep);
    const shardOfCell = await insertShards(transaction, plan, revision, open, await strayShards(transaction, plan));
    await moveToShards(transaction, plan.sweep, shardOfCell);
  } else {
    const shardOfCell = await insertShards(transaction, plan, revision, open, plan.shards);
    await upsertMemberships(transaction, plan, revision, shardOfCell);
    await leaveUnplanned(transaction, plan.sweep, revision);
    if (plan.cells.length > ANALYZE_CELLS) await transaction.$executeRaw`ANALYZE memberships, shards`;
  }
  await pinFingerprints(transaction, plan.sweep, spec);
  await deriveDivergences(transaction, plan.sweep);
  await resume(transaction, plan.sweep);
  return { sweep: plan.sweep, revision, created: !same };
}

/** Locks the sweep, making it if it is new, and returns its current revision. */
async function currentRevision(transaction: Client, sweep: SweepId) {
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
  await transaction.sweep.update({ where: { id: plan.sweep }, data: { revision: number, concurrency: spec.concurrency, priority: spec.priority } });
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
      effectiveScale: arm.effectiveScale,
      logitScale: arm.logitScale,
      tables: json(arm.tables),
    };
    await transaction.arm.upsert({
      where: { sweepId_armId: { sweepId, armId: arm.id } },
      create: { sweepId, armId: arm.id, ...row },
      update: row,
    });
  }
}

interface OpenShard {
  readonly id: string;
  readonly revision: number;
}

/** Before any membership is locked: whoever writes results holds its shard first. */
const lockOpenShards = (transaction: Client, sweep: SweepId): Promise<OpenShard[]> =>
  transaction.$queryRaw<OpenShard[]>`
    SELECT id, revision FROM shards WHERE sweep_id = ${sweep} AND state = ANY (${OPEN_SHARDS}::shard_state[])
    ORDER BY id FOR NO KEY UPDATE`;

/** Forgets outcomes whose reason lay in the place where the cell was tried: a person may have mended it. */
async function planAgain(transaction: Client, plan: Plan): Promise<void> {
  const keys = plan.cells.filter((cell) => cell.state === 'planned').map((cell) => cell.key).sort();
  for (const some of chunks(keys)) {
    const forgotten = await transaction.$executeRaw`
      DELETE FROM outcomes
      WHERE cell_key = ANY (${some}::text[]) AND device_class = ${plan.deviceClass} AND engine_version = ${plan.engineVersion}
        AND code = ANY (${PLACE_CODES}::text[])`;
    if (forgotten === 0) continue;
    await transaction.$executeRaw`
      UPDATE memberships m SET state = 'planned'
      FROM (
        SELECT sweep_id, cell_key, arm_id FROM memberships x
        WHERE sweep_id = ${plan.sweep} AND state = 'failed' AND cell_key = ANY (${some}::text[])
          AND NOT EXISTS (SELECT FROM outcomes o WHERE o.cell_key = x.cell_key AND o.device_class = ${plan.deviceClass} AND o.engine_version = ${plan.engineVersion})
        ORDER BY cell_key, arm_id FOR UPDATE
      ) AS again
      WHERE (m.sweep_id, m.cell_key, m.arm_id) = (again.sweep_id, again.cell_key, again.arm_id)`;
  }
}

/** Cells that the plan knows cannot fit their device class get that outcome before anybody tries them. */
async function foresee(transaction: Client, plan: Plan): Promise<void> {
  const cells = plan.cells.filter((cell) => cell.state === 'infeasible' && cell.foreseen !== undefined);
  const sorted = [...cells].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (const some of chunks(sorted)) {
    await transaction.$executeRaw`
      INSERT INTO outcomes (cell_key, device_class, engine_version, state, code, reason, attempts)
      SELECT c.key, ${plan.deviceClass}, ${plan.engineVersion}, 'infeasible', c.code, c.reason, 0
      FROM unnest(
        ${some.map((cell) => cell.key)}::text[],
        ${some.map((cell) => cell.foreseen ?? null)}::text[],
        ${some.map((cell) => cell.reason ?? '')}::text[]
      ) AS c(key, code, reason)
      ORDER BY c.key
      ON CONFLICT (cell_key, device_class, engine_version) DO NOTHING`;
  }
}

/** Shards of the plan with a planned cell that no open shard has; none but where the plan and a run crossed. */
async function strayShards(transaction: Client, plan: Plan): Promise<PlannedShard[]> {
  const strays = await transaction.$queryRaw<{ cellKey: string }[]>`
    SELECT m.cell_key AS "cellKey" FROM memberships m LEFT JOIN shards h ON h.id = m.shard_id
    WHERE m.sweep_id = ${plan.sweep} AND m.state = 'planned' AND (h.id IS NULL OR h.state <> ALL (${OPEN_SHARDS}::shard_state[]))`;
  const keys = new Set<string>(strays.map(({ cellKey }) => cellKey));
  return plan.shards.filter((shard) => shard.cellKeys.some((key) => keys.has(key)));
}

/** By checkpoint in the order of the arms, longest first within one: a slot keeps what it has loaded. */
function inOrderOfStart(plan: Plan): Map<ShardId, number> {
  const weightsOf = new Map(plan.arms.map((arm) => [arm.id, arm.checkpoint.weightsId]));
  const rank = new Map<string | undefined, number>();
  for (const weights of weightsOf.values()) if (!rank.has(weights)) rank.set(weights, rank.size);
  const checkpoint = (shard: PlannedShard) => rank.get(weightsOf.get(shard.armId)) ?? rank.size;
  const sorted = [...plan.shards].sort(
    (a, b) => checkpoint(a) - checkpoint(b) || b.cost.flops - a.cost.flops || (a.id < b.id ? -1 : 1),
  );
  return new Map(sorted.map((shard, ordinal) => [shard.id, ordinal]));
}

/**
 * Open shards of older revisions are superseded, but for those that the plan has again: they go on as they are, leases
 * included. A shard id is the digest of its cells, so an ended shard or another sweep may hold it: then the new one gets
 * an id of its own. Returns the shard of each cell of `shards`.
 */
async function insertShards(
  transaction: Client,
  plan: Plan,
  revision: number,
  open: readonly OpenShard[],
  shards: readonly PlannedShard[],
): Promise<Map<string, string>> {
  const ordinals = inOrderOfStart(plan);
  const openIds = new Set(open.map((shard) => shard.id));
  const planned = new Set<string>(shards.map((shard) => shard.id));
  const old = open.filter((shard) => shard.revision < revision && !planned.has(shard.id)).map((shard) => shard.id);
  await transaction.$executeRaw`
    UPDATE shards SET state = 'superseded', ended_at = now() WHERE id = ANY (${old}::text[])`;

  const shardOfCell = new Map<string, string>();
  for (const some of chunks(shards, 2_000)) {
    const held = await transaction.shard.findMany({ where: { id: { in: some.map((shard) => shard.id) } }, select: { id: true } });
    const heldIds = new Set(held.map((shard) => shard.id));
    const fresh: Prisma.ShardCreateManyInput[] = [];
    for (const shard of some) {
      const kept = openIds.has(shard.id);
      const ownId = kept || !heldIds.has(shard.id) ? shard.id : id<ShardId>(digest([shard.id, randomUUID()]));
      for (const key of shard.cellKeys) shardOfCell.set(cellOf(shard.armId, key), ownId);
      const place = { revision, task: shard.task, ordinal: ordinals.get(shard.id) ?? 0 };
      if (kept) await transaction.shard.update({ where: { id: ownId }, data: place });
      else fresh.push({ id: ownId, sweepId: plan.sweep, armId: shard.armId, state: 'planned', ...place, ...costColumns(shard) });
    }
    await transaction.shard.createMany({ data: fresh });
  }
  return shardOfCell;
}

const costColumns = ({ cost }: PlannedShard) => ({
  costPromptTokens: BigInt(cost.promptTokens),
  costDistinctTokens: BigInt(cost.distinctTokens),
  costFlops: cost.flops,
  costKvBytes: BigInt(cost.kvBytes),
  costPeakBytes: BigInt(cost.peakBytes),
});

const cellOf = (armId: string, key: string): string => `${armId}/${key}`;

/** Cells get the state the store knows now, which may be newer than the plan's. */
async function upsertMemberships(
  transaction: Client,
  plan: Plan,
  revision: number,
  shardOfCell: ReadonlyMap<string, string>,
): Promise<void> {
  const cells = new Map<string, PlannedCell & { readonly ordinal: number }>();
  for (const [ordinal, cell] of plan.cells.entries()) {
    const place = cellOf(cell.armId, cell.key);
    if (!cells.has(place)) cells.set(place, { ...cell, ordinal });
  }
  const sorted = [...cells.values()].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (const some of chunks(sorted)) {
    await transaction.$executeRaw`
      INSERT INTO memberships AS m (
        sweep_id, cell_key, arm_id, revision, last_revision, task, task_kind, context_tokens, depth, seed, document, ordinal, state, shard_id)
      SELECT ${plan.sweep}, c.key, c.arm, ${revision}, ${revision}, c.task, c.kind, c.context, c.depth, c.seed, c.document, c.ordinal,
             coalesce(x.state::text, o.state::text, 'planned')::cell_state, c.shard
      FROM unnest(
        ${some.map((cell) => cell.key)}::text[],
        ${some.map((cell) => cell.armId)}::text[],
        ${some.map((cell) => cell.task)}::int[],
        ${some.map((cell) => cell.taskKind)}::task_kind[],
        ${some.map((cell) => cell.contextTokens)}::int[],
        ${some.map((cell) => (cell.taskKind === 'needle' ? cell.axes.depth : null))}::float8[],
        ${some.map((cell) => (cell.taskKind === 'needle' ? cell.axes.seed : null))}::int[],
        ${some.map((cell) => (cell.taskKind === 'perplexity' ? cell.axes.document : null))}::text[],
        ${some.map((cell) => cell.ordinal)}::int[],
        ${some.map((cell) => shardOfCell.get(cellOf(cell.armId, cell.key)) ?? null)}::text[]
      ) AS c(key, arm, task, kind, context, depth, seed, document, ordinal, shard)
      LEFT JOIN measurements x ON x.cell_key = c.key
      LEFT JOIN outcomes o
        ON o.cell_key = c.key AND o.device_class = ${plan.deviceClass} AND o.engine_version = ${plan.engineVersion}
      ORDER BY c.key, c.arm
      ON CONFLICT (sweep_id, cell_key, arm_id) DO UPDATE SET
        last_revision = excluded.last_revision, task = excluded.task, ordinal = excluded.ordinal, state = excluded.state,
        shard_id = CASE WHEN excluded.state = 'planned' THEN excluded.shard_id ELSE m.shard_id END`;
  }
}

/** Points planned cells to new shards of the same revision. */
async function moveToShards(transaction: Client, sweep: SweepId, shardOfCell: ReadonlyMap<string, string>): Promise<void> {
  if (shardOfCell.size === 0) return;
  await transaction.$executeRaw`
    UPDATE memberships m SET shard_id = c.shard
    FROM unnest(${[...shardOfCell.keys()]}::text[], ${[...shardOfCell.values()]}::text[]) AS c(place, shard)
    WHERE m.sweep_id = ${sweep} AND m.state = 'planned' AND m.arm_id || '/' || m.cell_key = c.place`;
}

/** Cells without numbers that the sweep no longer plans leave it; everything measured stays. */
async function leaveUnplanned(transaction: Client, sweep: SweepId, revision: number): Promise<void> {
  await transaction.$executeRaw`
    DELETE FROM memberships
    WHERE sweep_id = ${sweep} AND last_revision < ${revision} AND state NOT IN ('measured', 'diverged')`;
}

/** Cached measurements count: an arm's new cells go where its first cell was measured (the sweep's, with `refuse`). */
async function pinFingerprints(transaction: Client, sweep: SweepId, spec: SweepSpec): Promise<void> {
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
    UPDATE arms a SET fingerprint = first.fingerprint
    FROM (
      SELECT DISTINCT ON (m.arm_id) m.arm_id, x.fingerprint
      FROM memberships m JOIN measurements x ON x.cell_key = m.cell_key
      WHERE m.sweep_id = ${sweep}
      ORDER BY m.arm_id, x.measured_at, x.cell_key
    ) AS first
    WHERE a.sweep_id = ${sweep} AND a.arm_id = first.arm_id AND a.fingerprint IS NULL`;
}

/** Running while cells are to be computed; else where its cells put it. */
async function resume(transaction: Client, sweep: SweepId): Promise<void> {
  const { planned } = await transaction.sweepProgress.findUniqueOrThrow({ where: { sweepId: sweep } });
  const state = planned > 0 ? 'running' : await endState(transaction, sweep);
  await transaction.$executeRaw`UPDATE sweeps SET state = ${state}::sweep_state, reason = NULL, updated_at = now() WHERE id = ${sweep}`;
}
