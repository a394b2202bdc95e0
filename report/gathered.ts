/**
 * A sweep as its report needs it, gathered page by page: of a cell a few numbers are kept, so that a million cells take some hundred
 * megabytes.
 */
import { groupBy } from '../domain/groupBy.js';
import type { ArmId } from '../domain/ids.js';
import { isAttentionRow, isPerplexityRow, type CellRow, type NeedleScoreRow, type SweepHead, type TaskLength } from '../domain/rows.js';
import { CELL_STATES, isMeasured, type CellState } from '../domain/states.js';
import { TASK_KINDS, type TaskKind } from '../domain/task.js';
import { attentionCell, attentionReferences, HEAD_PAGE_CELLS, type AttentionCell } from './attentionCells.js';
import { criterionOf } from './criterion.js';
import { NeedleCells } from './needleCells.js';
import { OutcomeCounts, type NamedCell, type OutcomeGroup } from './outcomes.js';
import { LOSS_PAGE_CELLS, perplexityCell, perplexityView, plannedPerplexity, type PerplexityCell } from './perplexityCells.js';
import type { SweepSource } from './source.js';

export type StateCounts = Readonly<Record<CellState, number>>;

/** Cells by state. */
export function stateCounts(cells: Iterable<{ readonly state: CellState }>): StateCounts {
  const counts = Object.fromEntries(CELL_STATES.map((state) => [state, 0])) as Record<CellState, number>;
  for (const { state } of cells) counts[state] += 1;
  return counts;
}

export const cellCount = (states: StateCounts): number => Object.values(states).reduce((sum, count) => sum + count, 0);

export interface Gathered extends SweepHead {
  /** Lengths that there are cells of, by task. */
  readonly lengths: readonly TaskLength[];
  readonly states: StateCounts;
  /** One an arm and task that has such cells. */
  readonly needles: readonly NeedleCells[];
  readonly perplexity: readonly PerplexityCell[];
  readonly attention: readonly AttentionCell[];
  readonly outcomes: readonly OutcomeGroup[];
  /** Kinds of device and engine that measured the cells of each arm that has any measured. */
  readonly fingerprints: ReadonlyMap<ArmId, ReadonlySet<string>>;
  /** Arms with cells that have no numbers. */
  readonly unmeasured: ReadonlySet<ArmId>;
}

export interface GatherOptions {
  /** Cells of these tasks; all where absent. */
  readonly kinds?: readonly TaskKind[];
  /** Cells of these arms; all where absent. */
  readonly arms?: readonly ArmId[];
}

/** What is kept of every cell, whatever its task. */
class Common {
  readonly states = stateCounts([]) as Record<CellState, number>;
  readonly outcomes = new OutcomeCounts();
  readonly fingerprints = new Map<ArmId, Set<string>>();
  readonly unmeasured = new Set<ArmId>();

  add(cell: NamedCell & { readonly state: CellState; readonly reason: string | null }, fingerprint: string | null): void {
    this.states[cell.state] += 1;
    if (!isMeasured(cell.state)) this.unmeasured.add(cell.armId);
    this.outcomes.add(cell);
    if (fingerprint === null) return;
    const own = this.fingerprints.get(cell.armId) ?? new Set();
    this.fingerprints.set(cell.armId, own.add(fingerprint));
  }
}

export async function gather(source: SweepSource, { kinds: wanted = TASK_KINDS, arms = source.head.arms.map(({ id }) => id) }: GatherOptions = {}): Promise<Gathered> {
  const { head, lengths } = source;
  const common = new Common();
  const has = (kind: TaskKind): boolean => wanted.includes(kind) && lengths.some(({ taskKind }) => taskKind === kind);
  const needles = has('needle') ? await gatherNeedles(source, arms, common) : [];
  const perplexity = has('perplexity') ? await gatherPerplexity(source, arms, common) : [];
  const attention = has('attention') ? await gatherAttention(source, arms, common) : [];
  const { states, fingerprints, unmeasured } = common;
  return { ...head, lengths, states, needles, perplexity, attention, outcomes: common.outcomes.groups(), fingerprints, unmeasured };
}

async function gatherNeedles(source: SweepSource, arms: readonly ArmId[], common: Common): Promise<NeedleCells[]> {
  const needles = new Map<string, NeedleCells>();
  for await (const page of source.needleScores(arms)) {
    for (const cell of page) common.add(cell, cell.fingerprint);
    for (const own of groupBy(page, ({ armId, task }) => `${armId} ${task}`).values()) addNeedles(needles, own, source.head);
  }
  return [...needles.values()];
}

/** @param cells of one arm and task */
function addNeedles(needles: Map<string, NeedleCells>, cells: readonly NeedleScoreRow[], head: SweepHead): void {
  const [first] = cells;
  if (first === undefined) return;
  const { armId, task } = first;
  const name = `${armId} ${task}`;
  const known = needles.get(name) ?? new NeedleCells(armId, task, criterionOf(head, task));
  known.add(cells);
  needles.set(name, known);
}

const fingerprintOf = ({ measured }: CellRow): string | null => measured?.fingerprint ?? null;

async function gatherPerplexity(source: SweepSource, arms: readonly ArmId[], common: Common): Promise<PerplexityCell[]> {
  const { head, lengths } = source;
  const measured = groupBy(lengths.filter(({ taskKind }) => taskKind === 'perplexity'), ({ task }) => task);
  const lengthsOf = new Map([...measured].map(([task, own]) => [task, [...new Set([...(plannedPerplexity(head, task)?.contextTokens ?? []), ...own.map(({ contextTokens }) => contextTokens)])]]));
  const found: PerplexityCell[] = [];
  for await (const page of source.cells({ kinds: ['perplexity'], arms, pageCells: LOSS_PAGE_CELLS })) {
    for (const cell of page.filter(isPerplexityRow)) {
      common.add(cell, fingerprintOf(cell));
      found.push(perplexityCell(cell, perplexityView(head, cell.task), lengthsOf.get(cell.task) ?? []));
    }
  }
  return found;
}

async function gatherAttention(source: SweepSource, arms: readonly ArmId[], common: Common): Promise<AttentionCell[]> {
  const references = await attentionReferences(source);
  const found: AttentionCell[] = [];
  for await (const page of source.cells({ kinds: ['attention'], arms, pageCells: HEAD_PAGE_CELLS })) {
    for (const cell of page.filter(isAttentionRow)) {
      common.add(cell, fingerprintOf(cell));
      found.push(attentionCell(cell, references));
    }
  }
  return found;
}
