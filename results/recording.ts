/**
 * Writing results: fenced by the lease, first writer wins, seen by every sweep that has the cells.
 */
import { NUMERICS_VERSION } from '../domain/engine.js';
import type { CellKey } from '../domain/ids.js';
import type { CellResult } from '../domain/measurement.js';
import type { Lease, Place } from '../domain/ports.js';
import type { OutcomeState } from '../domain/states.js';
import { SCORER_VERSION } from '../domain/task.js';
import { adoptForCells } from './adoption.js';
import type { Client } from './database.js';
import { handOn } from './handOn.js';
import { insertNumbers } from './numbers.js';
import { findShard, holdLease, refuseMixed, type ShardRow } from './shardRow.js';

type Evaluated = Extract<CellResult, { state: 'measured' | 'diverged' }>;
type Given = Extract<CellResult, { state: OutcomeState }>;

const byKey = <Item extends { readonly key: CellKey }>(a: Item, b: Item) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/**
 * @throws RopesweepError LEASE_LOST if a newer lease exists or the shard has ended, FINGERPRINT_MIXED if the arm (or the
 * sweep) got its first measurement from another kind of node meanwhile. Nothing of the batch is written then.
 */
export async function record(transaction: Client, lease: Lease, place: Place, results: readonly CellResult[]): Promise<void> {
  const row = await findShard(transaction, lease.shard);
  const evaluated = results.filter((result): result is Evaluated => result.state === 'measured' || result.state === 'diverged').sort(byKey);
  const given = results.filter((result): result is Given => result.state === 'infeasible' || result.state === 'failed').sort(byKey);
  if (evaluated.length > 0) await pinFingerprint(transaction, row, place);
  await holdLease(transaction, lease);
  if (evaluated.length > 0) await insertMeasurements(transaction, row, place, evaluated);
  if (given.length > 0) {
    await insertOutcomes(transaction, row, given.map((result) => ({ ...result, attempts: row.attempts })));
    await handOn(transaction, row);
  }
  await adoptForCells(transaction, results.map((result) => result.key));
}

/** The first measurement of an arm (of the sweep, with `refuse`) decides which nodes may add to it. */
async function pinFingerprint(transaction: Client, row: ShardRow, place: Place): Promise<void> {
  refuseMixed(row, place);
  if (row.mixFingerprints === 'refuse' && row.sweepFingerprint === null) {
    await transaction.$executeRaw`UPDATE sweeps SET fingerprint = ${place.fingerprint} WHERE id = ${row.sweep} AND fingerprint IS NULL`;
  }
  if (row.armFingerprint === null) {
    await transaction.$executeRaw`
      UPDATE arms SET fingerprint = ${place.fingerprint}
      WHERE sweep_id = ${row.sweep} AND arm_id = ${row.armId} AND fingerprint IS NULL`;
  }
  // Another worker may have been first between reading and pinning.
  if (row.sweepFingerprint === null || row.armFingerprint === null) refuseMixed(await findShard(transaction, row.id), place);
}

/**
 * A cell that another attempt or sweep measured first keeps those numbers. One statement a table: the axes come from the
 * membership, weights and table from the arm.
 */
async function insertMeasurements(transaction: Client, row: ShardRow, place: Place, results: readonly Evaluated[]): Promise<void> {
  const inserted = await transaction.$queryRaw<{ key: CellKey }[]>`
    INSERT INTO measurements (
      cell_key, task_kind, state, weights_id, table_digest, context_tokens, token_digest, numerics_version, scorer_version,
      worker, fingerprint, engine_version, device_class, seconds)
    SELECT r.key, m.task_kind, r.state, a.weights_id,
           coalesce(a.tables -> '*', a.tables -> m.context_tokens::text) ->> 'digest', m.context_tokens, r.token_digest,
           ${NUMERICS_VERSION}, ${SCORER_VERSION}, ${place.worker}, ${place.fingerprint}, ${place.engineVersion}, ${place.deviceClass}, r.seconds
    FROM unnest(
      ${results.map((result) => result.key)}::text[],
      ${results.map((result) => result.state)}::measurement_state[],
      ${results.map((result) => (tokenDigestOf(result)))}::text[],
      ${results.map((result) => result.seconds)}::float8[]
    ) AS r(key, state, token_digest, seconds)
    -- A cell that is no member has no task kind, which the column refuses.
    LEFT JOIN memberships m ON m.sweep_id = ${row.sweep} AND m.cell_key = r.key AND m.arm_id = ${row.armId}
    LEFT JOIN arms a ON a.sweep_id = m.sweep_id AND a.arm_id = m.arm_id
    ORDER BY r.key
    ON CONFLICT (cell_key) DO NOTHING
    RETURNING cell_key AS key`;
  await insertNumbers(transaction, inserted.map(({ key }) => key), results, row.armId);
}

const tokenDigestOf = (result: Evaluated): string => {
  if (result.state === 'diverged') return result.tokenDigest;
  if ('needle' in result) return result.needle.tokenDigest;
  return 'perplexity' in result ? result.perplexity.tokenDigest : result.attention.tokenDigest;
};

/** Outcomes of the shard's device class and of the engine version; the newest reason stands. A measured cell gets none. */
export async function insertOutcomes(
  transaction: Client,
  row: ShardRow,
  outcomes: readonly { readonly key: CellKey; readonly state: OutcomeState; readonly code: string; readonly reason: string; readonly attempts: number }[],
): Promise<void> {
  await transaction.$executeRaw`
    INSERT INTO outcomes (cell_key, device_class, engine_version, state, code, reason, attempts)
    SELECT o.key, ${row.deviceClass}, ${row.engineVersion}, o.state, o.code, o.reason, o.attempts
    FROM unnest(
      ${outcomes.map((outcome) => outcome.key)}::text[],
      ${outcomes.map((outcome) => outcome.state)}::outcome_state[],
      ${outcomes.map((outcome) => outcome.code)}::text[],
      ${outcomes.map((outcome) => outcome.reason)}::text[],
      ${outcomes.map((outcome) => outcome.attempts)}::int[]
    ) AS o(key, state, code, reason, attempts)
    WHERE NOT EXISTS (SELECT FROM measurements x WHERE x.cell_key = o.key)
    ORDER BY o.key
    ON CONFLICT (cell_key, device_class, engine_version) DO UPDATE SET
      state = excluded.state, code = excluded.code, reason = excluded.reason, attempts = excluded.attempts, at = now(), forgotten = false`;
}
