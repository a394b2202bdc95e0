/**
 * Refinement of a whole sweep: which cells its searches and audits used so far or want next, and what they found.
 *
 * A pure function of the resolved sweep and of what the store knows of the cells it asked for. The caller asks the store
 * for `unknown`, and calls again until the store knows none of them: then those are the cells to compute.
 */
import { axisValues } from '../domain/axis.js';
import type { ArmId, CellKey } from '../domain/ids.js';
import { RopesweepError } from '../domain/errors.js';
import { groupBy } from '../domain/groupBy.js';
import type { NamedTable, PlannedShard } from '../domain/plan.js';
import type { KnownScore } from '../domain/ports.js';
import type { ArmRefinement, Frontier, PassCount, Refinement } from '../domain/refinement.js';
import { score } from '../domain/score.js';
import type { CellOrigin } from '../domain/states.js';
import type { NeedleAxes } from '../domain/task.js';
import type { Criterion } from '../domain/taskSpec.js';
import { tableDependsOnLength } from '../rope/method.js';
import { tableAtLength } from './arms.js';
import { cellKeys, sharedIngredients } from './cellKey.js';
import { totalCost } from './cost.js';
import { foreseeFit, type Fit } from './feasible.js';
import { distinctCells, itemAt, type CellPlace, type GridBlock } from './grid.js';
import { auditCells, isRefined, maximumCells, refineDesign, type RefineDesign, type RefinedSpec, type RefinePoint } from './refineDesign.js';
import { searchFrontier, type CellOutcome, type FrontierSearch } from './refineFrontier.js';
import type { ResolvedArm, ResolvedSweep } from './resolved.js';
import { packForClasses, packShards } from './shards.js';
import type { PlannedTaskOf } from './tasks/registry.js';

/** A cell of the grid or beside it. */
interface NeedleCell extends CellPlace {
  readonly key: CellKey;
  readonly taskKind: 'needle';
  readonly axes: NeedleAxes;
}
/** A cell beside the grid. */
export type RefineCell = NeedleCell & { readonly origin: Exclude<CellOrigin, 'grid'> };

export interface RefineStep {
  /** Cells beside the grid that are used or wanted, each once an arm, in a deterministic order. */
  readonly cells: readonly RefineCell[];
  /** Keys that were asked for and are not known, those of the grid among them. */
  readonly unknown: readonly CellKey[];
  /** Counts FLOPs, so only when asked. */
  readonly refinement: () => Refinement;
}

type RefinedTask = PlannedTaskOf<'needle'> & { readonly spec: RefinedSpec };

export const refinedTasks = ({ tasks }: ResolvedSweep): RefinedTask[] =>
  tasks.flatMap((task) => (task.kind === 'needle' && isRefined(task.spec) ? [{ ...task, spec: task.spec }] : []));

export class SweepRefinement {
  private readonly tasks: readonly RefinedTask[];
  private readonly designs = new Map<string, RefineDesign>();
  /** The sweep with tables at every length that was asked for. */
  private readonly arms: ResolvedArm[];
  private readonly fullGridFlops = new Map<string, number>();
  private readonly fit: (place: CellPlace, tooLarge: boolean) => Fit;

  constructor(private readonly resolved: ResolvedSweep) {
    this.fit = foreseeFit(resolved);
    this.tasks = refinedTasks(resolved);
    this.arms = resolved.arms.map((one) => ({ ...one, arm: { ...one.arm, tables: { ...one.arm.tables } } }));
  }

  /** Where a cell of a step is to be computed, as far as it is foreseen. */
  fitOf(cell: RefineCell): Fit {
    return this.fit(cell, false);
  }

  /** Shards of cells of a step; arms that share a cell have it in one. */
  shardsOf(cells: readonly RefineCell[]): PlannedShard[] {
    const { larger } = this.resolved;
    const onLarger = new Set(cells.filter((cell) => this.fit(cell, false).device === larger).map(({ key }) => key));
    return packForClasses(this.sweep, distinctCells(this.sweep, inBlocks(cells)), (key) => onLarger.has(key));
  }

  /** With tables at the lengths of the cells. */
  private get sweep(): ResolvedSweep {
    return { ...this.resolved, arms: this.arms };
  }

  /** By arm, tables at lengths that the plan does not have. */
  get addedTables(): Map<ArmId, Readonly<Record<string, NamedTable>>> {
    return new Map(
      this.arms.map(({ arm }, index) => {
        const planned = this.resolved.arms[index]?.arm.tables ?? {};
        return [arm.id, Object.fromEntries(Object.entries(arm.tables).filter(([length]) => planned[length] === undefined))];
      }),
    );
  }

  step(known: ReadonlyMap<CellKey, KnownScore>): RefineStep {
    const cells: RefineCell[] = [];
    const unknown = new Set<CellKey>();
    const searched = this.tasks.map((task) => ({ task, arms: this.armsOf(task).map((arm) => this.refineArm(arm, task, known, cells, unknown)) }));
    const refinement = () => searched.map(({ task, arms }) => ({
      task: task.index,
      toleranceTokens: task.spec.refine.toleranceTokens,
      threshold: task.spec.refine.threshold,
      confidence: task.spec.refine.confidence,
      maximumCells: maximumCells(task.spec, task.grid.contextTokens),
      auditCells: auditCells(task.spec, task.grid.contextTokens),
      arms: arms.map((count) => count()),
    }));
    return { cells, unknown: [...unknown], refinement };
  }

  private refineArm(index: number, task: RefinedTask, known: ReadonlyMap<CellKey, KnownScore>, cells: RefineCell[], unknown: Set<CellKey>): () => ArmRefinement {
    const { arm } = this.armAt(index);
    const design = this.designOf(index, task);
    const cellAt = this.cellsOf(index, task);
    const outcomeOf = (point: RefinePoint): CellOutcome | undefined => {
      const { key } = cellAt(point);
      const found = known.get(key);
      if (found === undefined) unknown.add(key);
      return found === undefined ? undefined : outcome(found, task.spec.criterion);
    };
    const groups = design.perDepth ? design.depths.map((depth) => ({ depth, depths: [depth] })) : [{ depth: null, depths: design.depths }];
    const searches = groups.map(({ depth, depths }) => ({ depth, search: searchFrontier(design, depths, outcomeOf) }));
    const audit = design.audit.map((point) => ({ point, outcome: outcomeOf(point) }));

    const isAudit = new Set(design.audit.map((point) => cellAt(point).key));
    const own = new Map<CellKey, RefineCell>();
    for (const point of [...design.audit, ...searches.flatMap(({ search }) => search.cells)]) {
      const cell = cellAt(point);
      own.set(cell.key, { ...cell, origin: isAudit.has(cell.key) ? 'audit' : 'refine' });
    }
    for (const cell of own.values()) cells.push(cell);

    const grid = gridPoints(design, task.spec).map(cellAt);
    return () => ({
      armId: arm.id,
      frontiers: searches.map(({ depth, search }) => frontier(depth, search, audit)),
      cells: { grid: grid.length, refine: own.size - isAudit.size, audit: isAudit.size },
      flops: this.flopsOf([...grid, ...own.values()]),
      fullGrid: {
        cells: design.fine.length * design.depths.length * design.seeds.length,
        flops: this.flopsOfFullGrid(index, task, design),
      },
    });
  }

  /** Lengths that no device class of the sweep can hold are not refined between. */
  private designOf(index: number, task: RefinedTask): RefineDesign {
    const [depth = 0] = axisValues(task.spec.depths);
    const [seed = 1] = axisValues(task.spec.seeds);
    const cellAt = this.cellsOf(index, task);
    const { point, arm } = this.armAt(index);
    const left = this.resolved.selection.lay(point, task.grid, tableDependsOnLength(arm.method)).keys();
    const lengths = [...left].filter((contextTokens) => this.fit(cellAt({ contextTokens, depth, seed }), false).device !== null);
    const place = `${task.index}/${lengths.join()}`;
    const design = this.designs.get(place) ?? refineDesign(task.spec, lengths);
    this.designs.set(place, design);
    return design;
  }

  /** Indices of the arms of the task's model that have cells of it. */
  private armsOf({ model, grid }: RefinedTask): number[] {
    return this.arms.flatMap(({ point, arm }, index) => (point.modelPosition === model && this.resolved.selection.lay(point, grid, tableDependsOnLength(arm.method)).size > 0 ? [index] : []));
  }

  private cellsOf(index: number, { index: task, task: resolved }: RefinedTask): (point: RefinePoint) => NeedleCell {
    const { arm } = this.armAt(index);
    const keysAt = cellKeys(sharedIngredients(arm, 'needle', resolved, this.resolved));
    return ({ contextTokens, depth, seed }) => {
      const axes = { depth, seed };
      return { key: itemAt(keysAt(this.tableOf(index, contextTokens).digest, contextTokens, [axes]), 0), arm: index, task, contextTokens, taskKind: 'needle', axes };
    };
  }

  /** The arm's table at a length, made where the spec does not name the length. */
  private tableOf(index: number, contextTokens: number): NamedTable {
    const { arm, geometry } = this.armAt(index);
    const known = arm.tables['*'] ?? arm.tables[String(contextTokens)];
    if (known !== undefined) return known;
    const made = tableAtLength(arm.method, geometry, contextTokens);
    (arm.tables as Record<string, NamedTable>)[String(contextTokens)] = made;
    return made;
  }

  private armAt(index: number): ResolvedArm {
    const found = this.arms[index];
    if (found === undefined) throw new RopesweepError('INTERNAL', { where: 'refine', what: `no arm ${index}` });
    return found;
  }

  private flopsOf(cells: readonly NeedleCell[]): number {
    return totalCost(packShards(this.sweep, distinctCells(this.sweep, inBlocks(cells))).map(({ cost }) => cost)).flops;
  }

  /** Of one seed times their number: prompts of two seeds share nothing but their head. */
  private flopsOfFullGrid(index: number, task: RefinedTask, design: RefineDesign): number {
    const { arm, config } = this.armAt(index);
    const place = `${task.index}/${design.grid.join()}/${JSON.stringify(config)}/${tableDependsOnLength(arm.method) ? index : ''}`;
    const known = this.fullGridFlops.get(place);
    if (known !== undefined) return known;
    const [seed = 1] = design.seeds;
    const cellAt = this.cellsOf(index, task);
    const cells = design.fine.flatMap((contextTokens) => design.depths.map((depth) => cellAt({ contextTokens, depth, seed })));
    const flops = this.flopsOf(cells) * design.seeds.length;
    this.fullGridFlops.set(place, flops);
    return flops;
  }
}

const inBlocks = (cells: readonly NeedleCell[]): GridBlock[] =>
  [...groupBy(cells, ({ arm, task, contextTokens }) => `${arm}/${task}/${contextTokens}`).values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const { arm, task, taskKind, contextTokens } = first;
    const all = [first, ...others];
    return [{ arm, task, taskKind, contextTokens, axes: all.map(({ axes }) => axes), keys: all.map(({ key }) => key) }];
  });

const gridPoints = ({ grid, depths }: RefineDesign, { seeds }: RefinedSpec): RefinePoint[] =>
  grid.flatMap((contextTokens) => depths.flatMap((depth) => axisValues(seeds).map((seed) => ({ contextTokens, depth, seed }))));

/** A cell passes where its whole answer was retrieved; output that is not finite retrieved nothing. */
function outcome({ state, numbers }: KnownScore, criterion: Criterion): CellOutcome {
  if (state === 'diverged') return 'failed';
  if (numbers === null) return 'none';
  return score(criterion, numbers) === 1 ? 'passed' : 'failed';
}

interface Audited {
  readonly point: RefinePoint;
  readonly outcome: CellOutcome | undefined;
}

function frontier(depth: number | null, search: FrontierSearch, audit: readonly Audited[]): Frontier {
  const { state, passes, fails, passesAgain, tested } = search;
  const own = audit.filter(({ point }) => depth === null || point.depth === depth);
  const within = own.filter(({ point }) => passes !== null && point.contextTokens <= passes.contextTokens);
  const beyond = own.filter(({ point }) => fails !== null && point.contextTokens >= fails.contextTokens);
  return { depth, state, passes, fails, passesAgain, tested, audit: { within: passCount(within), beyond: passCount(beyond) } };
}

const passCount = (audit: readonly Audited[]): PassCount => ({
  passed: audit.filter(({ outcome: one }) => one === 'passed').length,
  n: audit.filter(({ outcome: one }) => one === 'passed' || one === 'failed').length,
});
