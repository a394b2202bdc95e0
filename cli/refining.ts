/**
 * Refinement of a sweep that runs: plans the next cells from what the store knows, adds them to the sweep, round by round.
 *
 * Nothing is remembered between rounds but what the store knows: the same command goes on after any kill.
 */
import { RopesweepError } from '../domain/errors.js';
import type { CellKey } from '../domain/ids.js';
import type { PlannedCell } from '../domain/plan.js';
import type { KnownScore } from '../domain/ports.js';
import { refinementTotals, type Refinement, type RefinementTotals } from '../domain/refinement.js';
import type { SweepSpec } from '../domain/spec.js';
import type { CellOrigin, SweepEndState } from '../domain/states.js';
import { refinedTasks, SweepRefinement, type RefineCell } from '../planner/refineSweep.js';
import type { PrismaStore } from '../results/store.js';
import { lookAtRefinement, type PlannedSweep } from './planning.js';
import type { RunDisplay } from './progress.js';

type ExtensionCell = Extract<PlannedCell, { taskKind: 'needle' }> & { readonly origin: CellOrigin };

export class Refining {
  private readonly refinement: SweepRefinement | null;
  private readonly known = new Map<CellKey, KnownScore>();
  /** By arm and key, in the state in which this run found them. */
  private readonly members = new Map<string, PlannedCell>();
  private found: Refinement = [];
  private open = 0;
  private rounds = 0;

  constructor(
    private readonly spec: SweepSpec,
    private readonly planned: PlannedSweep,
    private readonly store: PrismaStore,
    private readonly display: RunDisplay,
  ) {
    this.refinement = refinedTasks(planned.resolved).length === 0 ? null : new SweepRefinement(planned.resolved);
  }

  /** When the sweep has reached an end: whether refinement has more to compute. */
  async goOn(ended: SweepEndState): Promise<boolean> {
    if (ended !== 'done' && ended !== 'incomplete') return false;
    // Cells that nobody reached: a budget, canaries or a person ended the sweep, not its backlog.
    const status = await this.store.status(this.planned.plan.sweep);
    if (ended === 'incomplete' && status?.cells.planned !== 0) return false;
    await this.extend();
    return this.open > 0;
  }

  /** Cells of the refinement that shards have to compute. */
  get openCells(): number {
    return this.open;
  }

  /** Every cell beside the plan that this run used or computed, as it found it. */
  get cells(): readonly PlannedCell[] {
    return [...this.members.values()];
  }

  totals(): { readonly refinement?: RefinementTotals } {
    return this.refinement === null ? {} : { refinement: refinementTotals(this.found) };
  }

  /** Adds what refinement wants by what is known now; at first its random cells. */
  async extend(): Promise<void> {
    if (this.refinement === null) return;
    const { plan } = this.planned;
    const { refinement } = this;
    const step = await lookAtRefinement(refinement, plan, this.store, this.known);
    const cells = step.cells.map((cell) => this.asPlanned(cell, refinement));
    for (const cell of cells) if (!this.members.has(`${cell.armId}/${cell.key}`)) this.members.set(`${cell.armId}/${cell.key}`, cell);
    this.found = step.refinement();
    const wanted = step.cells.filter(({ key }) => !this.known.has(key));
    const underWay = await this.store.cellsInOpenShards(plan.sweep, wanted.map(({ key }) => key));
    const shards = this.refinement.shardsOf(wanted.filter(({ key }) => !underWay.has(key)));
    const added = await this.store.extend({ plan, spec: this.spec, cells, shards, tables: this.refinement.addedTables, refinement: this.found });
    this.open = added === null ? 0 : added + underWay.size;
    if (added === null || added === 0) return;
    this.rounds += 1;
    this.display.emit({ event: 'extended', sweep: plan.sweep, round: this.rounds, cells: added });
  }

  private asPlanned(refined: RefineCell, refinement: SweepRefinement): ExtensionCell {
    const { arm: index, ...cell } = refined;
    const { plan } = this.planned;
    const armId = plan.arms[index]?.id;
    if (armId === undefined) throw new RopesweepError('INTERNAL', { where: 'refine', what: `no arm ${index}` });
    const known = this.known.get(cell.key);
    if (known !== undefined) return { ...cell, armId, state: known.state };
    const { refusals } = refinement.fitOf(refined);
    return { ...cell, armId, state: 'planned', ...(refusals.length > 0 && { foreseen: refusals, onLarger: true }) };
  }
}
