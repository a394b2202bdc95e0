/**
 * What a plan asks the store: which cells have numbers or an outcome, and digests of files that were hashed before.
 */
import pMap from 'p-map';
import { PLACE_CODES } from '../domain/errors.js';
import type { CellKey, WeightsId } from '../domain/ids.js';
import type { PlanClasses } from '../domain/plan.js';
import type { FileDigest, KnownCell, MeasuredRate } from '../domain/ports.js';
import type { CellState } from '../domain/states.js';
import { ofPlan } from './cellOutcome.js';
import type { Client, Database } from './database.js';
import { Prisma } from './generated/client.js';

interface KnownRow {
  readonly key: CellKey;
  readonly state: CellState;
  readonly reason: string | null;
  readonly ifTooLarge: boolean;
}

/** Keys in one question: PostgreSQL reads what it has of them once a question, and a message holds them easily. */
const KEYS_A_QUESTION = 100_000;
/** Of a key, a SHA-256. */
const KEY_BYTES = 32;
/** At once: while one is answered, the keys of the next are laid out. */
const QUESTIONS = 2;

/**
 * Those of the keys that the store knows. A measurement stands before an outcome; an outcome whose reason lies in the place
 * where the cell was tried is none: the next submission plans the cell again. Nor is one that a plan foresaw: each plan decides for
 * itself. A cell that was too large for the classes' own and was not tried on the larger one is planned.
 *
 * Keys travel as their bytes, one after the other, which of a million costs a fraction of what an array of parameters does; and
 * PostgreSQL knows how many there are, so that it joins many of them rather than look for each.
 *
 * @param pieces the keys, laid out when they are asked for
 */
export async function knownCells(database: Database, pieces: Iterable<readonly CellKey[]>, classes: PlanClasses): Promise<Map<CellKey, KnownCell>> {
  const { deviceClass, largerDeviceClass, engineVersion } = ofPlan(classes);
  /** Of an outcome, whether somebody tried the cell on the class. */
  const triedOn = (outcome: Prisma.Sql, onClass: Prisma.Sql): Prisma.Sql => Prisma.sql`${outcome}.cell_key = asked.key AND ${outcome}.engine_version = ${engineVersion}
    AND ${outcome}.device_class = ${onClass} AND NOT ${outcome}.forgotten AND ${outcome}.attempts > 0 AND ${outcome}.code <> ALL (${[...PLACE_CODES]}::text[])`;
  const goesOn = Prisma.sql`(${largerDeviceClass} IS NOT NULL AND own.state = 'infeasible' AND own.code = 'OUT_OF_MEMORY')`;
  const known = new Map<CellKey, KnownCell>();
  const ask = async (keys: readonly CellKey[]): Promise<void> => {
    const rows = await database.readWithMuch<KnownRow>(Prisma.sql`
      SELECT asked.key, coalesce(m.state::text, larger.state::text, CASE WHEN ${goesOn} THEN 'planned' END, own.state::text) AS state,
             CASE WHEN m.state IS NULL THEN concat_ws('; ', own.reason, larger.reason) END AS reason,
             m.cell_key IS NULL AND own.cell_key IS NULL AS "ifTooLarge"
      FROM generate_series(0, ${keys.length - 1}::int) AS place
      CROSS JOIN LATERAL (SELECT encode(substring(${Buffer.from(keys.join(''), 'hex')}::bytea FROM ${KEY_BYTES} * place + 1 FOR ${KEY_BYTES}), 'hex') AS key) AS asked
      LEFT JOIN measurements m ON m.cell_key = asked.key
      LEFT JOIN outcomes own ON ${triedOn(Prisma.raw('own'), deviceClass)}
      LEFT JOIN outcomes larger ON ${triedOn(Prisma.raw('larger'), largerDeviceClass)} AND (own.cell_key IS NULL OR ${goesOn})
      WHERE m.cell_key IS NOT NULL OR own.cell_key IS NOT NULL OR larger.cell_key IS NOT NULL`);
    for (const { key, state, reason, ifTooLarge } of rows) known.set(key, ifTooLarge ? { state, reason, ifTooLarge } : { state, reason });
  };
  await pMap(questions(pieces), ask, { concurrency: QUESTIONS });
  return known;
}

function* questions(pieces: Iterable<readonly CellKey[]>): Generator<readonly CellKey[]> {
  let open: CellKey[] = [];
  for (const piece of pieces) {
    for (const key of piece) {
      open.push(key);
      if (open.length < KEYS_A_QUESTION) continue;
      yield open;
      open = [];
    }
  }
  if (open.length > 0) yield open;
}

interface RateRow extends MeasuredRate {
  readonly deviceClass: string;
}

/** By device class, FLOP/s of one slot: over finished shards of these checkpoints that ended in their first attempt. */
export async function measuredRates(client: Client, weightsIds: readonly WeightsId[]): Promise<Map<string, MeasuredRate>> {
  const rows = await client.$queryRaw<RateRow[]>`
    WITH shard AS (
      SELECT h.device_class, h.cost_flops AS flops, h.run_seconds AS seconds, h.cost_flops / h.run_seconds AS rate
      FROM shards h
      JOIN arms a ON a.sweep_id = h.sweep_id AND a.arm_id = h.arm_id
      WHERE h.state = 'done' AND h.attempts = 1 AND h.run_seconds > 0 AND h.cost_flops > 0 AND a.weights_id = ANY (${[...weightsIds]}::text[])
    ), by_rate AS (
      SELECT *, sum(flops) OVER (PARTITION BY device_class ORDER BY rate) / sum(flops) OVER (PARTITION BY device_class) AS share FROM shard
    )
    SELECT device_class AS "deviceClass", sum(flops) / sum(seconds) AS "flopsPerSecond",
      min(rate) FILTER (WHERE share >= 0.1) AS "slowFlopsPerSecond", min(rate) FILTER (WHERE share >= 0.9) AS "fastFlopsPerSecond",
      count(*)::int AS shards
    FROM by_rate GROUP BY device_class`;
  return new Map(rows.map(({ deviceClass, ...rate }) => [deviceClass, rate]));
}

const fileKey = (path: string, size: number, mtimeMs: number) => ({ path, size: BigInt(size), mtimeMs });

export async function fileDigest(client: Client, path: string, size: number, mtimeMs: number): Promise<string | null> {
  const row = await client.fileDigest.findUnique({ where: { path_size_mtimeMs: fileKey(path, size, mtimeMs) } });
  return row?.sha256 ?? null;
}

export async function saveFileDigest(client: Client, { path, size, mtimeMs, sha256 }: FileDigest): Promise<void> {
  const key = fileKey(path, size, mtimeMs);
  await client.fileDigest.upsert({ where: { path_size_mtimeMs: key }, create: { ...key, sha256 }, update: { sha256 } });
}
