/**
 * Rows of a sweep -> what heat maps and arm tables show: per arm and task a grid [depths][contexts] and its summary.
 *
 * Recall of a grid cell = passed / n over its seeds, where passed sums the cells' scores under the task's criterion (0 or
 * 1 by exact match, a share by the others). A diverged cell counts in n and as not passed: a model whose output
 * is not finite retrieved nothing. Planned, failed and infeasible cells have no answer and do not count.
 */
import type { ArmRow } from '../domain/rows.js';
import type { Criterion } from '../domain/taskSpec.js';
import { isMeasured } from '../domain/states.js';
import { entropyMean, entropySplits, splitNearest, type EntropyMean, type EntropySplit } from './statistics/entropySplit.js';
import { groupBy } from '../domain/groupBy.js';
import { stateCounts, type Gathered, type StateCounts } from './gathered.js';
import type { NeedleCell } from './needleCells.js';
import { reachOf, type ContextRecall, type Reach } from './statistics/reach.js';

/** All seeds of one arm, task, context length and depth. */
export interface GridCell {
  readonly contextTokens: number;
  /** Fraction 0..1. */
  readonly depth: number;
  readonly states: StateCounts;
  /** Cells with an answer: measured and diverged. */
  readonly n: number;
  readonly passed: number;
  /** passed / n; null where n is 0. */
  readonly recall: number | null;
  /** Mean over the measured cells: `entropy` if all have it, else `entropyFirst`; null where none is measured. */
  readonly entropy: EntropyMean | null;
}

/** One heat map: an arm under one task. */
export interface ArmGrid {
  readonly arm: ArmRow;
  /** Index into the spec's tasks. */
  readonly task: number;
  readonly criterion: Criterion;
  /** Context lengths of this task in the whole sweep, ascending: the same columns in every arm's map. */
  readonly contexts: readonly number[];
  /** Depths of this task in the whole sweep, ascending. */
  readonly depths: readonly number[];
  /** [depths][contexts]; null where the arm has no such cell. */
  readonly cells: readonly (readonly (GridCell | null)[])[];
  readonly states: StateCounts;
  readonly recalls: readonly ContextRecall[];
  readonly reach: Reach | null;
  /** Shortest tested context below 90 % recall, or the longest tested; null where nothing is tested. */
  readonly frontierTokens: number | null;
  readonly entropySplits: readonly EntropySplit[];
  /** The one of `entropySplits` nearest to the frontier. */
  readonly shownSplit: EntropySplit | null;
}

const ascending = (values: Iterable<number>): number[] => [...new Set(values)].sort((a, b) => a - b);

/** Whether a table has to say which task a grid belongs to. */
export const hasSeveralTasks = (grids: readonly ArmGrid[]): boolean => new Set(grids.map(({ task }) => task)).size > 1;

const missing = (states: StateCounts): number => states.planned + states.failed + states.infeasible;

function recallOf(cells: readonly NeedleCell[]): { n: number; passed: number } {
  const answered = cells.filter(({ state }) => isMeasured(state));
  const passed = answered.reduce((sum, { needle }) => sum + (needle?.score ?? 0), 0);
  return { n: answered.length, passed };
}

function gridCell(contextTokens: number, depth: number, cells: readonly NeedleCell[]): GridCell {
  const { n, passed } = recallOf(cells);
  return {
    contextTokens,
    depth,
    states: stateCounts(cells),
    n,
    passed,
    recall: n === 0 ? null : passed / n,
    entropy: entropyMean(cells.flatMap(({ needle }) => needle ?? [])),
  };
}

function armGrid(
  arm: ArmRow,
  task: number,
  criterion: Criterion,
  cells: readonly NeedleCell[],
  contexts: readonly number[],
  depths: readonly number[],
): ArmGrid {
  const byContext = groupBy(cells, ({ contextTokens }) => contextTokens);
  const byPoint = new Map([...byContext].map(([context, list]) => [context, groupBy(list, ({ depth }) => depth)]));
  const recalls = ascending(byContext.keys()).map((contextTokens): ContextRecall => {
    const list = byContext.get(contextTokens) ?? [];
    return { contextTokens, ...recallOf(list), missing: missing(stateCounts(list)) };
  });
  const reach = reachOf(recalls);
  const tested = recalls.filter(({ n }) => n > 0);
  const beyond = tested.find(({ contextTokens }) => reach === null || contextTokens > reach.contextTokens);
  const frontierTokens = (beyond ?? tested.at(-1))?.contextTokens ?? null;
  const splits = entropySplits(
    cells.flatMap(({ contextTokens, needle }) =>
      needle === null ? [] : [{ contextTokens, passed: needle.score === 1, entropy: needle.entropy, entropyFirst: needle.entropyFirst }],
    ),
  );
  return {
    arm,
    task,
    criterion,
    contexts,
    depths,
    cells: depths.map((depth) =>
      contexts.map((context) => {
        const list = byPoint.get(context)?.get(depth);
        return list === undefined ? null : gridCell(context, depth, list);
      }),
    ),
    states: stateCounts(cells),
    recalls,
    reach,
    frontierTokens,
    entropySplits: splits,
    shownSplit: frontierTokens === null ? null : splitNearest(splits, frontierTokens),
  };
}

/** One grid per needle task and arm, of the cells of the sweep's grid (refined lengths have other numbers of seeds), tasks in the order of the spec, arms by ordinal; an arm without cells of a task has none. */
export function armGrids(rows: Pick<Gathered, 'arms' | 'needles'>): ArmGrid[] {
  const arms = [...rows.arms].sort((a, b) => a.ordinal - b.ordinal);
  const byTask = groupBy(rows.needles, ({ task }) => task);
  return ascending(byTask.keys()).flatMap((task) => {
    const ofTask = byTask.get(task) ?? [];
    const contexts = new Set<number>();
    const depths = new Set<number>();
    for (const cells of ofTask) {
      for (const { contextTokens, depth, origin } of cells) {
        if (origin !== 'grid') continue;
        contexts.add(contextTokens);
        depths.add(depth);
      }
    }
    return arms.flatMap((arm) => {
      const own = ofTask.find(({ armId }) => armId === arm.id);
      const cells = own === undefined ? [] : [...own].filter(({ origin }) => origin === 'grid');
      return own === undefined || cells.length === 0 ? [] : [armGrid(arm, task, own.criterion, cells, ascending(contexts), ascending(depths))];
    });
  });
}
