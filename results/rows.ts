/**
 * All of a sweep as views, reports and exports read it.
 */
import { RopesweepError } from '../domain/errors.js';
import type { ArmId, CellKey, SweepId, WeightsId } from '../domain/ids.js';
import type { NeedleNumbers } from '../domain/measurement.js';
import type { Method } from '../domain/method.js';
import type { ArmRow, CellRow, SweepRows } from '../domain/rows.js';
import type { CellOrigin, CellState } from '../domain/states.js';
import type { TaskKind } from '../domain/task.js';
import type { Client } from './database.js';

/** One page of cells; its per-head arrays are what memory goes to. */
const PAGE_CELLS = 10_000;

/**
 * Arms in the order of the spec, cells by arm, task, context length, depth and seed.
 *
 * @throws RopesweepError SWEEP_UNKNOWN
 */
export async function sweepRows(client: Client, sweep: SweepId): Promise<SweepRows> {
  const row = await client.sweep.findUnique({ where: { id: sweep } });
  const revision = row && (await client.revision.findUnique({ where: { sweepId_number: { sweepId: sweep, number: row.revision } } }));
  if (row === null || revision === null) {
    throw new RopesweepError('SWEEP_UNKNOWN', { where: `sweep ${sweep}`, what: 'it was never submitted' });
  }
  const arms = await armRows(client, sweep);
  const cells: CellRow[] = [];
  for (const arm of arms) await addCells(client, sweep, arm.id, cells);
  return {
    sweep,
    revision: row.revision,
    state: row.state,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    spec: revision.spec,
    planDigest: revision.planDigest,
    arms,
    cells,
  };
}

/** Arms that have cells: one that an earlier revision planned and nobody measured is not shown. */
async function armRows(client: Client, sweep: SweepId): Promise<ArmRow[]> {
  const arms = await client.arm.findMany({
    where: { sweepId: sweep, memberships: { some: {} } },
    orderBy: [{ ordinal: 'asc' }, { armId: 'asc' }],
    omit: { tables: true },
  });
  return arms.map((arm) => ({
    id: arm.armId as ArmId,
    ordinal: arm.ordinal,
    label: arm.label,
    model: arm.model,
    method: arm.method as unknown as Method,
    methodLabel: arm.methodLabel,
    weightsId: arm.weightsId as WeightsId,
    originalContextTokens: arm.originalContextTokens,
    continualPretrainContextTokens: arm.continualPretrainContextTokens,
    effectiveScale: arm.effectiveScale,
    logitScale: arm.logitScale,
  }));
}

type NeedleColumns = Omit<NeedleNumbers, 'heads' | 'generatedIds'> & {
  readonly heads: Uint8Array | null;
  readonly generatedIds: readonly number[];
};
/** A row of the join; where nothing was measured, the columns of the numbers are null. */
type Row = NeedleColumns & {
  readonly key: CellKey;
  readonly task: number;
  readonly taskKind: TaskKind;
  readonly contextTokens: number;
  readonly depth: number;
  readonly seed: number;
  readonly state: CellState;
  readonly origin: CellOrigin;
  readonly reason: string | null;
  readonly measuredAt: Date | null;
  readonly seconds: number;
  readonly worker: string;
  readonly fingerprint: string;
};

async function addCells(client: Client, sweep: SweepId, arm: ArmId, cells: CellRow[]): Promise<void> {
  for (let offset = 0; ; offset += PAGE_CELLS) {
    const rows = await client.$queryRaw<Row[]>`
      WITH page AS (
        SELECT * FROM memberships WHERE sweep_id = ${sweep} AND arm_id = ${arm}
        ORDER BY task, context_tokens, depth, seed, cell_key LIMIT ${PAGE_CELLS} OFFSET ${offset}
      )
      SELECT m.cell_key AS key, m.task, m.task_kind::text AS "taskKind", m.context_tokens AS "contextTokens", m.depth, m.seed,
             m.state::text AS state, m.origin::text AS origin, o.code || ': ' || o.reason AS reason,
             x.measured_at AS "measuredAt", x.seconds, x.worker, x.fingerprint, x.token_digest AS "tokenDigest",
             n.exact_match AS "exactMatch", n.answer_ids AS "answerIds", n.top1_ids AS "top1Ids", n.generated_ids AS "generatedIds",
             n.nll, n.sum_nll AS "sumNll", n.token_count AS "tokenCount", n.margins, n.entropy_first AS "entropyFirst",
             n.entropy, n.entropy_teacher_forced AS "entropyTeacherForced", n.entropy_normalized AS "entropyNormalized",
             n.max_probability AS "maxProbability", n.sink_mass AS "sinkMass", n.needle_mass AS "needleMass",
             n.needle_lift AS "needleLift", n.heads, n.layers, n.head_count AS "headCount",
             n.needle_start AS "needleStart", n.needle_tokens AS "needleTokens"
      FROM page m
      JOIN sweeps s ON s.id = m.sweep_id
      JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
      LEFT JOIN measurements x ON x.cell_key = m.cell_key AND m.state IN ('measured', 'diverged')
      LEFT JOIN needle_results n ON n.cell_key = m.cell_key AND m.state = 'measured'
      LEFT JOIN outcomes o ON m.state IN ('infeasible', 'failed')
        AND o.cell_key = m.cell_key AND o.device_class = r.device_class AND o.engine_version = r.engine_version
      ORDER BY m.task, m.context_tokens, m.depth, m.seed, m.cell_key`;
    for (const row of rows) cells.push(cellRow(arm, row));
    if (rows.length < PAGE_CELLS) return;
  }
}

function cellRow(armId: ArmId, row: Row): CellRow {
  const { key, task, taskKind, contextTokens, depth, seed, state, origin, measuredAt, seconds, worker, fingerprint } = row;
  return {
    key,
    armId,
    task,
    taskKind,
    contextTokens,
    depth,
    seed,
    state,
    origin,
    reason: state === 'diverged' ? 'the output of the model was not finite' : row.reason,
    needle: state === 'measured' ? needleNumbers(row) : null,
    measured: measuredAt === null ? null : { at: measuredAt, seconds, worker, fingerprint },
  };
}

const needleNumbers = (row: Row): NeedleNumbers => ({
  exactMatch: row.exactMatch,
  answerIds: row.answerIds,
  top1Ids: row.top1Ids,
  generatedIds: row.generatedIds.length > 0 ? row.generatedIds : null,
  nll: row.nll,
  sumNll: row.sumNll,
  tokenCount: row.tokenCount,
  margins: row.margins,
  entropyFirst: row.entropyFirst,
  entropy: row.entropy,
  entropyTeacherForced: row.entropyTeacherForced,
  entropyNormalized: row.entropyNormalized,
  maxProbability: row.maxProbability,
  sinkMass: row.sinkMass,
  needleMass: row.needleMass,
  needleLift: row.needleLift,
  heads: row.heads === null ? null : Buffer.from(row.heads).toString('base64'),
  layers: row.layers,
  headCount: row.headCount,
  needleStart: row.needleStart,
  needleTokens: row.needleTokens,
  tokenDigest: row.tokenDigest,
});
