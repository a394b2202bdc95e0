/**
 * Needle cells with how they came out and nothing else: what a report asks of a million cells at once. One statement a page, of
 * many cells, so that PostgreSQL joins whole tables instead of looking for each key.
 */
import type { ArmId, CellKey, SweepId } from '../domain/ids.js';
import type { NeedleScoreRow, NeedleScores, SweepHead } from '../domain/rows.js';
import { DIVERGED_REASON, type CellOrigin, type CellState } from '../domain/states.js';
import { holdsFor, OF_REVISION } from './cellOutcome.js';
import type { Client } from './database.js';
import { Prisma } from './generated/client.js';

/** Cells of a page, about: it ends with a depth. */
const PAGE_CELLS = 50_000;

/** The needle cells page by page, by arm, task, context length, depth and seed; a page is of one arm and task and never empty. */
export async function* needleScorePages(client: Client, { sweep }: SweepHead, arms: readonly ArmId[], pageCells = PAGE_CELLS): AsyncGenerator<NeedleScoreRow[]> {
  for (const arm of arms) {
    for (const stretch of await stretches(client, sweep, arm, pageCells)) yield await pageOf(client, sweep, arm, stretch);
  }
}

interface Position {
  readonly contextTokens: number;
  readonly depth: number;
}

/** Cells of a task from one position in the grid to another, both among them. */
interface Stretch {
  readonly task: number;
  readonly from: Position;
  to: Position;
  cells: number;
}

async function stretches(client: Client, sweep: SweepId, arm: ArmId, pageCells: number): Promise<Stretch[]> {
  const positions = await client.$queryRaw<(Position & { readonly task: number; readonly cells: number })[]>`
    SELECT task, context_tokens AS "contextTokens", depth, count(*)::int AS cells FROM memberships
    WHERE sweep_id = ${sweep} AND arm_id = ${arm} AND task_kind = 'needle' GROUP BY task, context_tokens, depth ORDER BY task, context_tokens, depth`;
  const found: Stretch[] = [];
  for (const { task, cells, ...position } of positions) {
    const last = found.at(-1);
    if (last?.task === task && last.cells + cells <= pageCells) Object.assign(last, { to: position, cells: last.cells + cells });
    else found.push({ task, from: position, to: position, cells });
  }
  return found;
}

type Row = NeedleScores & {
  readonly key: CellKey;
  readonly contextTokens: number;
  readonly depth: number;
  readonly seed: number;
  readonly state: CellState;
  readonly origin: CellOrigin;
  readonly reason: string | null;
  readonly fingerprint: string | null;
  readonly hasNumbers: boolean;
};

async function pageOf(client: Client, sweep: SweepId, arm: ArmId, { task, from, to }: Stretch): Promise<NeedleScoreRow[]> {
  const rows = await client.$queryRaw<Row[]>`
    SELECT m.cell_key AS key, m.context_tokens AS "contextTokens", m.depth, m.seed, m.state::text AS state, m.origin::text AS origin,
           o.code || ': ' || o.reason AS reason, x.fingerprint, n.cell_key IS NOT NULL AS "hasNumbers",
           n.exact_match AS "exactMatch", n.token_recall AS "tokenRecall", n.string_recall AS "stringRecall", n.entropy, n.entropy_first AS "entropyFirst"
    FROM memberships m
    JOIN sweeps s ON s.id = m.sweep_id
    JOIN revisions r ON r.sweep_id = s.id AND r.number = s.revision
    LEFT JOIN measurements x ON x.cell_key = m.cell_key AND m.state IN ('measured', 'diverged')
    LEFT JOIN needle_results n ON n.cell_key = m.cell_key AND m.state = 'measured'
    LEFT JOIN outcomes o ON m.state IN ('infeasible', 'failed') AND ${holdsFor(Prisma.sql`m.cell_key`, OF_REVISION)}
    WHERE m.sweep_id = ${sweep} AND m.arm_id = ${arm} AND m.task = ${task} AND m.task_kind = 'needle'
      AND (m.context_tokens, m.depth) >= (${from.contextTokens}::int, ${from.depth}::float8)
      AND (m.context_tokens, m.depth) <= (${to.contextTokens}::int, ${to.depth}::float8)
    ORDER BY m.context_tokens, m.depth, m.seed, m.cell_key`;
  return rows.map(({ key, contextTokens, depth, seed, state, origin, reason, fingerprint, hasNumbers, ...needle }) => ({
    key,
    armId: arm,
    task,
    taskKind: 'needle',
    contextTokens,
    depth,
    seed,
    state,
    origin,
    reason: state === 'diverged' ? DIVERGED_REASON : reason,
    needle: hasNumbers ? needle : null,
    fingerprint,
  }));
}
