/** What refinement found and saved as tables and lines print it, the same in the terminal and in the HTML report. */
import type { ArmRefinement, Frontier, RefinementTotals, TaskRefinement, TestedLength } from '../domain/refinement.js';
import type { ArmRow, SweepHead } from '../domain/rows.js';
import { NOTHING } from './armSummary.js';
import { depthPercent, passedText, percentRange, plural } from './labels.js';

/** After a length whose interval straddles the threshold even with all its seeds: the share itself decides there. */
const UNCERTAIN = '?';

/** One row of the table of frontiers. */
export interface FrontierRow {
  readonly arm: ArmRow;
  readonly frontier: Frontier;
  /** Per cent, or `all`. */
  readonly depth: string;
  /** `512-544?`: the longest passing and the shortest failing length in tokens. */
  readonly bracket: string;
  /** Audit cells that pass: up to the frontier, beyond it. */
  readonly audit: string;
  /** Cells of the arm, and those of the full grid; empty but at an arm's first frontier. */
  readonly cells: string;
  /** What is not as it should be; empty where all is. */
  readonly remark: string;
}

export interface FrontierTable {
  readonly title: string;
  /** Whether frontiers are those of single depths. */
  readonly hasDepths: boolean;
  readonly rows: readonly FrontierRow[];
}

/** One a refined task, arms in the order of the spec. */
export function frontierTables({ refinement, arms }: Pick<SweepHead, 'refinement' | 'arms'>): FrontierTable[] {
  const tasks = refinement ?? [];
  return tasks.map((task) => ({
    title: titleOf(task, tasks.length > 1),
    hasDepths: task.arms.some(({ frontiers }) => frontiers.some(({ depth }) => depth !== null)),
    rows: [...arms].sort((a, b) => a.ordinal - b.ordinal).flatMap((arm) => task.arms.filter(({ armId }) => armId === arm.id).flatMap((refined) => rowsOf(arm, refined))),
  }));
}

const titleOf = ({ task, threshold, toleranceTokens, confidence }: TaskRefinement, hasTasks: boolean): string =>
  `Frontiers${hasTasks ? `, task ${task}` : ''}: where fewer than ${percent(threshold)} of the cells pass, to ${toleranceTokens} tokens; verdicts at ${percent(confidence)} confidence`;

const percent = (share: number): string => `${Number((100 * share).toFixed(2))} %`;

const rowsOf = (arm: ArmRow, refined: ArmRefinement): FrontierRow[] =>
  refined.frontiers.map((frontier, at) => ({
    arm,
    frontier,
    depth: frontier.depth === null ? 'all' : depthPercent(frontier.depth),
    bracket: bracketText(frontier),
    audit: `${passedText(frontier.audit.within)}, ${passedText(frontier.audit.beyond)}`,
    cells: at === 0 ? `${integer(cellsOf(refined))} of ${integer(refined.fullGrid.cells)}` : '',
    remark: remarkOf(frontier),
  }));

const cellsOf = ({ cells }: ArmRefinement): number => cells.grid + cells.refine + cells.audit;

function bracketText({ passes, fails }: Frontier): string {
  if (passes !== null && fails !== null) return `${lengthText(passes)}-${lengthText(fails)}`;
  if (passes !== null) return `> ${lengthText(passes)}`;
  return fails === null ? NOTHING : `< ${lengthText(fails)}`;
}

const lengthText = ({ contextTokens, certain }: TestedLength): string => `${contextTokens}${certain ? '' : UNCERTAIN}`;

/** passed/n and the interval that decided. */
export const shareText = (length: TestedLength | null): string => (length === null ? NOTHING : `${passedText(length)} ${percentRange(length.interval)}`);

const STATE_REMARKS: { readonly [S in Frontier['state']]: string | null } = {
  found: null,
  searching: 'still searching',
  limited: 'ended by maximumCells',
  unmeasured: 'lengths that would decide have no numbers',
};

function remarkOf({ state, passesAgain }: Frontier): string {
  const remarks = [STATE_REMARKS[state], passesAgain.length === 0 ? null : `passes again at ${passesAgain.map(lengthText).join(', ')}`];
  return remarks.filter((remark) => remark !== null).join('; ');
}

/** What the table's columns mean. */
export const FRONTIER_NOTE =
  `frontier: the longest passing and the shortest failing length of the first crossing, with passed/n at either; ${UNCERTAIN}: its Wilson interval straddles the threshold with all seeds. ` +
  'audit: random cells that pass, up to the frontier and beyond it. cells: taken by the arm, of the full grid at this resolution.';

/** What all searches of a sweep took, beside the full grid at their resolution. */
export function savedText({ frontiers, found, cells, flops, fullGridCells, fullGridFlops }: RefinementTotals): string {
  return (
    `refinement: ${found} of ${plural(frontiers, 'frontier')} found with ${integer(cells)} cells, grid and audit among them; ` +
    `the full grid at this resolution has ${integer(fullGridCells)} (${timesText(fullGridCells, cells)}), ${flopsText(flops)} in place of ${flopsText(fullGridFlops)} (${timesText(fullGridFlops, flops)})`
  );
}

const integer = (value: number): string => value.toLocaleString('en-US');
const timesText = (more: number, less: number): string => (less === 0 ? NOTHING : `${(more / less).toPrecision(3)} x`);

const PREFIXES = [[1e18, 'E'], [1e15, 'P'], [1e12, 'T'], [1e9, 'G'], [1e6, 'M']] as const;
function flopsText(flops: number): string {
  const [scale, prefix] = PREFIXES.find(([least]) => flops >= least) ?? [1, ''];
  return `${(flops / scale).toPrecision(3)} ${prefix}FLOP`;
}
