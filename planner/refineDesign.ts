/**
 * How a needle task is refined, worked out from the spec alone: the lengths that may be tested, the looks at one of them,
 * how wide an interval decides, and the random cells of the audit.
 *
 * The fine grid holds the task's context lengths and the multiples of `toleranceTokens` between them, so two neighbours are
 * never further apart than the tolerance. Its seeds are the task's own and the whole numbers after the largest of them.
 */
import { axisValues } from '../domain/axis.js';
import { normalQuantile } from '../domain/normalQuantile.js';
import type { SweepSpec } from '../domain/spec.js';
import type { TaskSpec, TaskSpecOf } from '../domain/taskSpec.js';
import { randomStream } from '../domain/random.js';
import type { Findings } from './findings.js';
import type { Places } from './places.js';
import { ascending } from './tasks/taskPlanner.js';

/** A cell of one arm. */
export interface RefinePoint {
  readonly contextTokens: number;
  /** Fraction 0..1. */
  readonly depth: number;
  readonly seed: number;
}

export interface RefineDesign {
  /** Context lengths of the task, ascending: every arm is measured there before its frontier is searched. */
  readonly grid: readonly number[];
  /** Lengths that may be tested, the grid's among them, ascending. */
  readonly fine: readonly number[];
  /** Ascending. */
  readonly depths: readonly number[];
  /** In the order in which they are used. */
  readonly seeds: readonly number[];
  /** Seeds used after each look at a length: those of the task, then twice as many, ..., at last all. */
  readonly looks: readonly number[];
  readonly threshold: number;
  /** Of the Wilson interval of one look. */
  readonly z: number;
  readonly perDepth: boolean;
  /** Most cells beside the grid that one frontier takes. */
  readonly maximumCellsOfFrontier: number;
  /** Random cells of the fine grid that the grid itself does not have, the same for every arm. */
  readonly audit: readonly RefinePoint[];
}

type NeedleSpec = TaskSpecOf<'needle'>;
type RefineSpec = NonNullable<NeedleSpec['refine']>;
export type RefinedSpec = NeedleSpec & { readonly refine: RefineSpec };

export const isRefined = (task: TaskSpec): task is RefinedSpec => task.kind === 'needle' && task.refine !== undefined;

/** Seeds that a refined task may use; those of the spec where it is not refined. */
export function seedPool({ seeds, refine }: Pick<NeedleSpec, 'seeds' | 'refine'>): number[] {
  const own = ascending(axisValues(seeds));
  const after = (own.at(-1) ?? 0) + 1;
  return [...own, ...Array.from({ length: Math.max(0, (refine?.maximumSeeds ?? 0) - own.length) }, (_, index) => after + index)];
}

/** @param contextTokens of the task, ascending; those that its arms can hold */
export function refineDesign(spec: RefinedSpec, contextTokens: readonly number[]): RefineDesign {
  const { refine } = spec;
  const depths = ascending(axisValues(spec.depths));
  const seeds = seedPool(spec);
  const looks = lookSeeds(axisValues(spec.seeds).length, seeds.length);
  const fine = fineLengths(contextTokens, refine.toleranceTokens);
  const frontiers = refine.perDepth ? depths.length : 1;
  return {
    grid: contextTokens,
    fine,
    depths,
    seeds,
    looks,
    threshold: refine.threshold,
    // A union bound over the looks: whatever their number, a verdict is wrong with at most 1 - confidence.
    z: normalQuantile(1 - (1 - refine.confidence) / looks.length),
    perDepth: refine.perDepth,
    maximumCellsOfFrontier: Math.floor(maximumCells(spec, contextTokens) / frontiers),
    audit: auditPoints(spec, { fine, depths, seeds, grid: contextTokens, count: auditCells(spec, contextTokens) }),
  };
}

/** 2, 4, 8, 16 from 2 to 16: few looks, so that each may be decided at a narrow interval. */
function lookSeeds(first: number, last: number): number[] {
  const looks = [first];
  for (let seeds = 2 * first; (looks.at(-1) ?? last) < last; seeds *= 2) looks.push(Math.min(seeds, last));
  return looks;
}

function fineLengths(grid: readonly number[], tolerance: number): number[] {
  const [shortest = 0, longest = 0] = [grid[0], grid.at(-1)];
  const first = Math.ceil(shortest / tolerance);
  const multiples = Array.from({ length: Math.max(0, Math.floor(longest / tolerance) - first + 1) }, (_, index) => (first + index) * tolerance);
  return ascending([...grid, ...multiples]);
}

/** As the spec says, or what a search takes whose every length needs all seeds: its halvings and the two ends. */
export function maximumCells({ refine, depths, seeds }: RefinedSpec, contextTokens: readonly number[]): number {
  const halvings = Math.ceil(Math.log2(Math.max(1, widestGap(contextTokens) / refine.toleranceTokens)));
  return refine.maximumCells ?? (halvings + 2) * axisValues(depths).length * Math.max(refine.maximumSeeds, axisValues(seeds).length);
}

/** A share of `maximumCells`: known before anything is measured, so that what is drawn depends on no outcome. */
export const auditCells = (spec: RefinedSpec, contextTokens: readonly number[]): number =>
  Math.round(spec.refine.auditShare * maximumCells(spec, contextTokens));

const widestGap = (contextTokens: readonly number[]): number =>
  contextTokens.slice(1).reduce((widest, length, index) => Math.max(widest, length - (contextTokens[index] ?? length)), 0);

function auditPoints(
  spec: NeedleSpec,
  { fine, depths, seeds, grid, count }: Pick<RefineDesign, 'fine' | 'depths' | 'seeds' | 'grid'> & { readonly count: number },
): RefinePoint[] {
  const random = randomStream('refine audit', 0);
  const population = fine.length * depths.length * seeds.length;
  const inGrid = new Set(grid);
  const ownSeeds = new Set(axisValues(spec.seeds));
  const free = population - grid.length * depths.length * ownSeeds.size;
  const drawn = new Map<number, RefinePoint>();
  while (drawn.size < Math.min(count, free)) {
    const index = random.below(population);
    const [contextTokens, depth, seed] = [fine[Math.floor(index / (depths.length * seeds.length))], depths[Math.floor(index / seeds.length) % depths.length], seeds[index % seeds.length]];
    if (contextTokens === undefined || depth === undefined || seed === undefined) continue;
    if (!inGrid.has(contextTokens) || !ownSeeds.has(seed)) drawn.set(index, { contextTokens, depth, seed });
  }
  return [...drawn.values()];
}

/** Cells that refinement may add to those of the grid. */
export function checkRefineSize(spec: SweepSpec, gridCells: number, arms: number, at: Places, findings: Findings): void {
  const added = spec.tasks.filter(isRefined).reduce((sum, task) => {
    const lengths = ascending(axisValues(task.contextTokens ?? spec.contextTokens));
    return sum + arms * (maximumCells(task, lengths) + auditCells(task, lengths));
  }, 0);
  if (added === 0 || gridCells > spec.cellLimit || gridCells + added <= spec.cellLimit) return;
  findings.add('SPEC_INVALID', {
    where: at(['tasks', spec.tasks.findIndex(isRefined), 'refine']),
    what: `refinement may add ${added} cells to the ${gridCells} of the grid, the limit is ${spec.cellLimit}`,
    mend: `Set maximumCells lower, or raise cellLimit (--set cellLimit=${gridCells + added}).`,
  });
}

/** What of `refine` does not go with the rest of its task. */
export function checkRefine(spec: SweepSpec, task: NeedleSpec, index: number, isIrregular: boolean, at: Places, findings: Findings): void {
  const { refine } = task;
  if (refine === undefined) return;
  const lengths = ascending(axisValues(task.contextTokens ?? spec.contextTokens));
  const here = (...path: string[]) => at(['tasks', index, 'refine', ...path]);
  const [shortest] = lengths;
  const { length: depths } = axisValues(task.depths);
  const { length: seeds } = axisValues(task.seeds);
  if (isIrregular) {
    findings.add('SPEC_INVALID', {
      where: here(),
      what: 'a frontier is looked for among all depths and seeds, and rules that read depth, seed or document, or included points, leave other ones',
      mend: 'Let rules read lengths, methods and models alone, or give the task contextTokens, depths and seeds of its own.',
    });
  }
  if (lengths.length < 2) {
    findings.add('SPEC_INVALID', {
      where: here(),
      what: `there is one context length (${shortest ?? 'none'}), so no frontier lies between two`,
      mend: 'Give contextTokens a length that should pass and one that should fail.',
    });
  } else if (widestGap(lengths) <= refine.toleranceTokens) {
    findings.add('SPEC_INVALID', {
      where: here('toleranceTokens'),
      what: `no two neighbours of contextTokens are further apart than ${refine.toleranceTokens} tokens, so there is nothing to search between them`,
      mend: `Use fewer than ${widestGap(lengths)} tokens, or context lengths that are further apart.`,
    });
  }
  if (refine.maximumSeeds < seeds) {
    findings.add('SPEC_INVALID', {
      where: here('maximumSeeds'),
      what: `${refine.maximumSeeds} are fewer than the ${seeds} seeds of the task`,
      mend: `Use at least ${seeds}, or fewer seeds.`,
    });
  }
  const firstLook = depths * seeds;
  if (refine.maximumCells !== undefined && refine.maximumCells < firstLook) {
    findings.add('SPEC_INVALID', {
      where: here('maximumCells'),
      what: `one context length takes ${firstLook} cells (${depths} depths, ${seeds} seeds), the limit is ${refine.maximumCells}`,
      mend: `Use at least ${firstLook}.`,
    });
  }
}
