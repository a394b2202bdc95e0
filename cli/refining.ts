/**
 * Refinement of a sweep that runs: plans the next cells from what the store knows and adds them to the sweep. The search of an arm
 * goes on as soon as what it asked for last has come to an end, whatever others wait for.
 *
 * Nothing is remembered but what the store knows: the same command goes on after any kill.
 */
import { RopesweepError } from '../domain/errors.js';
import type { CellKey } from '../domain/ids.js';
import type { PlannedCell } from '../domain/plan.js';
import type { KnownScore, SweepStatus } from '../domain/ports.js';
import { refinementTotals, type Refinement, type RefinementTotals } from '../domain/refinement.js';
import type { SweepSpec } from '../domain/spec.js';
import type { CellOrigin, SweepEndState } from '../domain/states.js';
import { refinedTasks, SweepRefinement, type RefineCell } from '../planner/refineSweep.js';
import type { PrismaStore } from '../results/store.js';
import { lookAtRefinement, type PlannedSweep } from './planning.js';
import { endedCells, type RunDisplay } from './progress.js';

/** Looking takes questions to the store: after it took so long, it is looked again after so many times that, and not sooner than this. */
const LOOK_PAUSE = { times: 4, leastMs: 300 };

type ExtensionCell = Extract<PlannedCell, { taskKind: 'needle' }> & { readonly origin: CellOrigin };

const placeOf = ({ armId, key }: Pick<PlannedCell, 'armId' | 'key'>): string => `${armId}/${key}`;

export class Refining {
  private readonly refinement: SweepRefinement | null;
  private readonly known = new Map<CellKey, KnownScore>();
  /** By arm and key, in the state in which this run found them. */
  private readonly members = new Map<string, PlannedCell>();
  /** Those that this run made members of the sweep, likewise. */
  private readonly added = new Set<string>();
  private found: Refinement = [];
  private open = 0;
  private rounds = 0;
  /** Cells that had ended when it was last looked whether a search can go on, and when it may be looked again. */
  private endedBefore = 0;
  private lookAfterMs = 0;

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

  /** While the sweep runs: whether searches that could go on have more to compute now. */
  async goOnMeanwhile(status: SweepStatus): Promise<boolean> {
    const ended = endedCells(status);
    if (this.refinement === null || status.state !== 'running' || ended === this.endedBefore || Date.now() < this.lookAfterMs) return false;
    const startedMs = Date.now();
    this.endedBefore = ended;
    const added = await this.extend({ onlyForMore: true });
    this.lookAfterMs = Date.now() + Math.max(LOOK_PAUSE.leastMs, LOOK_PAUSE.times * (Date.now() - startedMs));
    return added > 0;
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

  /**
   * Adds what refinement wants by what is known now: at first the random cells, then the next cells of each search that has no cell
   * under way.
   *
   * @param onlyForMore leave the sweep as it is where there is nothing to compute
   * @returns cells that new shards have
   */
  async extend({ onlyForMore = false } = {}): Promise<number> {
    if (this.refinement === null) return 0;
    const { plan } = this.planned;
    const { refinement } = this;
    const step = await lookAtRefinement(refinement, plan, this.store, this.known);
    const wanted = step.cells.filter(({ key }) => !this.known.has(key));
    const underWay = await this.store.cellsInOpenShards(plan.sweep, wanted.map(({ key }) => key));
    const waiting = new Set(wanted.filter(({ key, origin }) => origin === 'refine' && underWay.has(key)).map(({ arm }) => arm));
    const next = wanted.filter(({ arm, key }) => !underWay.has(key) && !waiting.has(arm));
    if (onlyForMore && next.length === 0) return 0;
    const wants = new Set(next);
    const used = step.cells.filter((cell) => this.known.has(cell.key) || wants.has(cell)).map((cell) => this.asPlanned(cell, refinement));
    for (const cell of used) if (!this.members.has(placeOf(cell))) this.members.set(placeOf(cell), cell);
    const cells = used.filter((cell) => !this.added.has(placeOf(cell)));
    this.found = step.refinement();
    const added = await this.store.extend({ plan, spec: this.spec, cells, shards: this.refinement.shardsOf(next), tables: this.refinement.addedTables, refinement: this.found });
    this.open = added === null ? 0 : added + underWay.size;
    if (added === null) return 0;
    for (const cell of cells) this.added.add(placeOf(cell));
    if (added === 0) return 0;
    this.rounds += 1;
    this.display.emit({ event: 'extended', sweep: plan.sweep, round: this.rounds, cells: added });
    return added;
  }

  private asPlanned(refined: RefineCell, refinement: SweepRefinement): ExtensionCell {
    const { arm: index, ...cell } = refined;
    const { plan } = this.planned;
    const armId = plan.arms[index]?.id;
    if (armId === undefined) throw new RopesweepError('INTERNAL', { where: 'refine', what: `no arm ${index}` });
    const known = this.known.get(cell.key);
    if (known !== undefined) return { ...cell, armId, state: known.state };
    const { device, refusals } = refinement.fitOf(refined);
    return { ...cell, armId, state: device === null ? 'infeasible' : 'planned', ...(refusals.length > 0 && { foreseen: refusals, ...(device !== null && { onLarger: true }) }) };
  }
}
