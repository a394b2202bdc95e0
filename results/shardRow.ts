/**
 * A shard with what its sweep's current revision says of it: what every step of an attempt looks at first.
 */
import type { MixFingerprints } from './generated/enums.js';
import { RopesweepError } from '../domain/errors.js';
import type { ArmId, ShardId, SweepId, WeightsId } from '../domain/ids.js';
import type { PlannedArm } from '../domain/plan.js';
import type { Lease, Place } from '../domain/ports.js';
import type { ShardState } from '../domain/states.js';
import type { Client } from './database.js';

export interface ShardRow {
  readonly id: ShardId;
  readonly sweep: SweepId;
  readonly revision: number;
  readonly armId: ArmId;
  readonly armLabel: string;
  readonly task: number;
  readonly state: ShardState;
  readonly lease: number;
  /** Cells that went from it to a shard of another device class. */
  readonly handedOn: number;
  readonly attempts: number;
  readonly flops: number;
  readonly weightsId: WeightsId;
  readonly folder: string;
  readonly tables: PlannedArm['tables'];
  /** Outcomes of its cells belong to these two. */
  readonly deviceClass: string;
  readonly engineVersion: string;
  /** Of the sweep; null where it has none. */
  readonly largerDeviceClass: string | null;
  readonly mixFingerprints: MixFingerprints;
  readonly armFingerprint: string | null;
  readonly sweepFingerprint: string | null;
}

/** The shard, without a lock. */
export async function findShard(client: Client, shard: ShardId): Promise<ShardRow> {
  const [row] = await client.$queryRaw<ShardRow[]>`
    SELECT h.id, h.sweep_id AS sweep, h.revision, h.arm_id AS "armId", a.label AS "armLabel", h.task, h.state::text AS state,
           h.lease, h.handed_on AS "handedOn", h.attempts, h.cost_flops AS flops, a.weights_id AS "weightsId", a.checkpoint_folder AS folder, a.tables,
           h.device_class AS "deviceClass", r.engine_version AS "engineVersion", r.larger_device_class AS "largerDeviceClass", r.mix_fingerprints::text AS "mixFingerprints",
           a.fingerprint AS "armFingerprint", s.fingerprint AS "sweepFingerprint"
    FROM shards h
    JOIN sweeps s ON s.id = h.sweep_id
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id
    WHERE h.id = ${shard}`;
  if (row === undefined) throw unknownShard(shard);
  return row;
}

/** Locks the shard until the transaction ends, and returns what an attempt is checked against. */
export async function lockShard(transaction: Client, shard: ShardId): Promise<Pick<ShardRow, 'state' | 'lease' | 'handedOn'>> {
  const [row] = await transaction.$queryRaw<Pick<ShardRow, 'state' | 'lease' | 'handedOn'>[]>`
    SELECT state::text AS state, lease, handed_on AS "handedOn" FROM shards WHERE id = ${shard} FOR NO KEY UPDATE`;
  if (row === undefined) throw unknownShard(shard);
  return row;
}

/** @throws RopesweepError LEASE_LOST unless the lease is the shard's newest and the shard has not ended. */
export async function holdLease(transaction: Client, { shard, number }: Lease): Promise<void> {
  const row = await lockShard(transaction, shard);
  if (row.state !== 'leased' || row.lease !== number) throw leaseLost({ shard, number }, row);
}

export const leaseLost = ({ shard, number }: Lease, row: Pick<ShardRow, 'state' | 'lease'>): RopesweepError =>
  new RopesweepError('LEASE_LOST', {
    where: `shard ${shard.slice(0, 16)}`,
    what: `lease ${number} is over: the shard is ${row.state} at lease ${row.lease}`,
  });

const unknownShard = (shard: ShardId): RopesweepError =>
  new RopesweepError('INTERNAL', { where: `shard ${shard.slice(0, 16)}`, what: 'the store does not have it' });

/** @throws RopesweepError FINGERPRINT_MIXED if the spec's mixFingerprints keeps this place from the shard's arm. */
export function refuseMixed(row: ShardRow, place: Place): void {
  const first = { allow: null, perArm: row.armFingerprint, refuse: row.sweepFingerprint }[row.mixFingerprints];
  if (first === null || first === place.fingerprint) return;
  throw new RopesweepError('FINGERPRINT_MIXED', {
    where: row.mixFingerprints === 'refuse' ? `sweep ${row.sweep}` : `arm ${row.armLabel}`,
    what: `its first cells were measured on "${first}", worker ${place.worker} is "${place.fingerprint}"`,
  });
}
