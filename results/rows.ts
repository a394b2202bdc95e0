/**
 * All of a sweep as views, reports and exports read it.
 */
import { RopesweepError } from '../domain/errors.js';
import type { ArmId, CellKey, SweepId, WeightsId } from '../domain/ids.js';
import type { AttentionNumbers, NeedleNumbers, PerplexityNumbers } from '../domain/measurement.js';
import type { Method } from '../domain/method.js';
import type { CheckpointTraining } from '../domain/plan.js';
import type { Refinement } from '../domain/refinement.js';
import type { ArmRow, CellRow, CellsWanted, SweepHead, SweepRows, TaskLength } from '../domain/rows.js';
import { DIVERGED_REASON, type CellOrigin, type CellState } from '../domain/states.js';
import { TASK_KINDS, type ResolvedTask, type TaskKind } from '../domain/task.js';
import { chunks } from './chunks.js';
import { isShownFor, OF_REVISION } from './cellOutcome.js';
import type { Client } from './database.js';
import { Prisma } from './generated/client.js';
import { readAttentions, readNeedles, readPerplexities, type Stored } from './readNumbers.js';

/** One page of cells; its arrays are what memory goes to. */
const PAGE_CELLS = 10_000;

/**
 * All cells at once, of a small sweep: arms in the order of the spec, cells by arm, task, context length, depth, seed and document.
 *
 * @throws RopesweepError SWEEP_UNKNOWN
 */
export async function sweepRows(client: Client, sweep: SweepId): Promise<SweepRows> {
  const head = await sweepHead(client, sweep);
  const cells: CellRow[] = [];
  for await (const page of cellPages(client, head)) for (const cell of page) cells.push(cell);
  return { ...head, cells };
}

/**
 * A sweep without its cells.
 *
 * @throws RopesweepError SWEEP_UNKNOWN
 */
export async function sweepHead(client: Client, sweep: SweepId): Promise<SweepHead> {
  const row = await client.sweep.findUnique({ where: { id: sweep } });
  const revision = row && (await client.revision.findUnique({ where: { sweepId_number: { sweepId: sweep, number: row.revision } } }));
  if (row === null || revision === null) {
    throw new RopesweepError('SWEEP_UNKNOWN', { where: `sweep ${sweep}`, what: 'it was never submitted' });
  }
  return {
    sweep,
    revision: row.revision,
    state: row.state,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    spec: revision.spec,
    planDigest: revision.planDigest,
    refinement: row.refinement as Refinement | null,
    arms: await armRows(client, sweep),
    tasks: revision.tasks as unknown as readonly ResolvedTask[],
  };
}

/** The cells page by page, in the order of {@link sweepRows}; a page is of one arm and never empty. */
export async function* cellPages(client: Client, { sweep, arms }: SweepHead, wanted: CellsWanted = {}): AsyncGenerator<CellRow[]> {
  for (const { id } of arms) if (wanted.arms?.includes(id) ?? true) yield* pagesOfArm(client, sweep, id, wanted);
}

/** Which lengths the cells of a sweep have, by task. */
export const taskLengths = (client: Client, sweep: SweepId): Promise<TaskLength[]> => client.$queryRaw<TaskLength[]>`
  SELECT DISTINCT task, task_kind::text AS "taskKind", context_tokens AS "contextTokens" FROM memberships WHERE sweep_id = ${sweep}
  ORDER BY task, "contextTokens", "taskKind"`;

/** Arms that have cells: one that an earlier revision planned and nobody measured is not shown. */
async function armRows(client: Client, sweep: SweepId): Promise<ArmRow[]> {
  const shown = await client.$queryRaw<{ armId: ArmId }[]>`
    SELECT arm_id AS "armId" FROM arms a WHERE sweep_id = ${sweep}
      AND EXISTS (SELECT FROM memberships m WHERE m.sweep_id = a.sweep_id AND m.arm_id = a.arm_id)`;
  const arms = await client.arm.findMany({
    where: { sweepId: sweep, armId: { in: shown.map(({ armId }) => armId) } },
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
    weightFormat: arm.weightFormat,
    originalContextTokens: arm.originalContextTokens,
    continualPretrainContextTokens: arm.continualPretrainContextTokens,
    training: arm.training as CheckpointTraining | null,
    effectiveScale: arm.effectiveScale,
    logitScale: arm.logitScale,
  }));
}

/** What every row of a page has, whatever its task; where nothing was measured, the columns of the measurement are null. */
interface Row {
  readonly key: CellKey;
  readonly task: number;
  readonly taskKind: TaskKind;
  readonly contextTokens: number;
  readonly depth: number;
  readonly seed: number;
  readonly document: string;
  readonly state: CellState;
  readonly origin: CellOrigin;
  readonly reason: string | null;
  readonly measuredAt: Date | null;
  readonly seconds: number;
  readonly worker: string;
  readonly fingerprint: string;
  readonly tokenDigest: string;
}

async function* pagesOfArm(client: Client, sweep: SweepId, arm: ArmId, wanted: CellsWanted): AsyncGenerator<CellRow[]> {
  const { kinds = TASK_KINDS, pageCells = PAGE_CELLS, headDistributions = true, tokenLosses = true } = wanted;
  // The order once, not once a page: an arm may have a hundred thousand cells.
  const ordered = await client.$queryRaw<{ key: CellKey }[]>`
    SELECT cell_key AS key FROM memberships WHERE sweep_id = ${sweep} AND arm_id = ${arm} AND task_kind = ANY (${kinds}::task_kind[])
    ORDER BY task, context_tokens, depth, seed, document, cell_key`;
  for (const page of chunks(ordered, pageCells)) {
    const rows = await client.$queryRaw<Row[]>`
      SELECT m.cell_key AS key, m.task, m.task_kind::text AS "taskKind", m.context_tokens AS "contextTokens", m.depth, m.seed, m.document,
             m.state::text AS state, m.origin::text AS origin, o.code || ': ' || o.reason AS reason,
             x.measured_at AS "measuredAt", x.seconds, x.worker, x.fingerprint, x.token_digest AS "tokenDigest"
      FROM unnest(${page.map(({ key }) => key)}::text[]) WITH ORDINALITY AS page(key, place)
      JOIN memberships m ON m.cell_key = page.key AND m.sweep_id = ${sweep} AND m.arm_id = ${arm}
      JOIN sweeps s ON s.id = m.sweep_id
      JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
      LEFT JOIN measurements x ON x.cell_key = m.cell_key AND m.state IN ('measured', 'diverged')
      LEFT JOIN outcomes o ON m.state IN ('infeasible', 'failed') AND ${isShownFor(Prisma.sql`m.cell_key`, OF_REVISION)}
      ORDER BY page.place`;
    const measured = (kind: TaskKind) => rows.filter((row) => row.taskKind === kind && row.state === 'measured').map((row) => row.key);
    const numbers: Numbers = {
      needle: await readNeedles(client, measured('needle')),
      perplexity: await readPerplexities(client, measured('perplexity'), tokenLosses),
      attention: await readAttentions(client, measured('attention'), headDistributions),
    };
    yield rows.map((row) => cellRow(arm, row, numbers));
  }
}

interface Numbers {
  readonly needle: ReadonlyMap<CellKey, Stored<NeedleNumbers>>;
  readonly perplexity: ReadonlyMap<CellKey, Stored<PerplexityNumbers>>;
  readonly attention: ReadonlyMap<CellKey, Stored<AttentionNumbers>>;
}

function cellRow(armId: ArmId, row: Row, numbers: Numbers): CellRow {
  const { key, task, taskKind, contextTokens, depth, seed, document, state, origin, measuredAt, seconds, worker, fingerprint, tokenDigest } = row;
  const common = {
    key,
    armId,
    task,
    contextTokens,
    state,
    origin,
    reason: state === 'diverged' ? DIVERGED_REASON : row.reason,
    measured: measuredAt === null ? null : { at: measuredAt, seconds, worker, fingerprint },
  };
  const own = <N>(stored: N | undefined) => (stored === undefined ? null : { ...stored, tokenDigest });
  switch (taskKind) {
    case 'needle':
      return { ...common, taskKind, depth, seed, needle: own(numbers.needle.get(key)) };
    case 'perplexity':
      return { ...common, taskKind, document, perplexity: own(numbers.perplexity.get(key)) };
    case 'attention':
      return { ...common, taskKind, attention: own(numbers.attention.get(key)) };
  }
}
