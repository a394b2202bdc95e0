/**
 * The search for one frontier: the first crossing from passing to failing context lengths. A pure function of a design and
 * of the outcomes known so far; it is played from its start each time, so whoever goes on after a kill asks for the same
 * cells.
 *
 *   1. Every length of the grid is looked at with the seeds of the task.
 *   2. A length passes where its share of passing cells reaches the threshold. Between the longest passing length below the
 *      first failing one and that one, the middle of the fine grid is looked at, until no length of it is left between.
 *   3. While the Wilson interval at one of the two ends straddles the threshold it gets another look, with twice the seeds,
 *      until all are used. An end that changes sides thereby moves the bracket: back to 2.
 *   4. Lengths of the grid beyond the bracket that seem to pass get looks in the same way: they tell that the arm is not
 *      monotone.
 */
import type { FrontierState, TestedLength } from '../domain/refinement.js';
import { wilsonInterval } from '../domain/wilson.js';
import type { RefineDesign, RefinePoint } from './refineDesign.js';

/** none: the cell was tried and has no numbers. */
export type CellOutcome = 'passed' | 'failed' | 'none';

/** undefined while the cell is to come. */
export type OutcomeOf = (point: RefinePoint) => CellOutcome | undefined;

export interface FrontierSearch {
  readonly state: FrontierState;
  readonly passes: TestedLength | null;
  readonly fails: TestedLength | null;
  readonly passesAgain: readonly TestedLength[];
  /** Ascending. */
  readonly tested: readonly TestedLength[];
  /** What the search used or wants, the grid's own cells not among them. */
  readonly cells: readonly RefinePoint[];
}

type SearchDesign = Pick<RefineDesign, 'grid' | 'fine' | 'seeds' | 'looks' | 'threshold' | 'z' | 'maximumCellsOfFrontier'>;

/** @param depths those of the frontier: all of the task together, or one */
export function searchFrontier(design: SearchDesign, depths: readonly number[], outcomeOf: OutcomeOf): FrontierSearch {
  const search = new Search(design, depths, outcomeOf);
  const state = search.run();
  const { passes, fails } = search.bracket();
  return {
    state,
    passes: passes === undefined ? null : shown(passes),
    fails: fails === undefined ? null : shown(fails),
    passesAgain: search.beyond(fails).map(shown),
    tested: search.measured().map(shown),
    cells: search.cells,
  };
}

const shown = ({ contextTokens, passed, n, interval, certain }: Looked): TestedLength => ({ contextTokens, passed, n, interval, certain });

interface Looked extends TestedLength {
  /** Index of its last look. */
  readonly look: number;
}

/** Why a search cannot go on now; null: it can. */
type Halt = Extract<FrontierState, 'searching' | 'limited'> | null;

class Search {
  readonly cells: RefinePoint[] = [];
  private readonly looked = new Map<number, Looked>();

  constructor(
    private readonly design: SearchDesign,
    private readonly depths: readonly number[],
    private readonly outcomeOf: OutcomeOf,
  ) {}

  run(): FrontierState {
    const ofGrid = this.lookAt(this.design.grid);
    if (ofGrid !== null) return ofGrid;
    for (;;) {
      const { passes, fails } = this.bracket();
      const middle = this.middle(passes, fails);
      const doubtful = middle === undefined ? [passes, fails].filter((end) => this.isOpen(end)).map((end) => end.contextTokens) : [middle];
      if (doubtful.length === 0) break;
      const halt = this.lookAt(doubtful);
      // Within the tolerance a frontier is found, and the share decides where no more seeds are allowed.
      if (halt === 'searching' || (halt === 'limited' && middle !== undefined)) return halt;
    }
    return this.lookBeyond() ?? (this.isWithinTolerance() ? 'found' : 'unmeasured');
  }

  /** Lengths that have an answer, ascending. */
  measured(): Looked[] {
    return [...this.looked.values()].filter(({ n }) => n > 0).sort((a, b) => a.contextTokens - b.contextTokens);
  }

  /** The ends of the first crossing; where nothing fails (or passes) there is one end alone. */
  bracket(): { readonly passes: Looked | undefined; readonly fails: Looked | undefined } {
    const measured = this.measured();
    const first = measured.findIndex((length) => !this.reaches(length));
    return first < 0 ? { passes: measured.at(-1), fails: undefined } : { passes: measured[first - 1], fails: measured[first] };
  }

  /** Lengths of the grid that pass although a shorter one fails. */
  beyond(fails: Looked | undefined): Looked[] {
    return fails === undefined ? [] : this.measured().filter((length) => length.contextTokens > fails.contextTokens && this.design.grid.includes(length.contextTokens) && this.reaches(length));
  }

  private lookBeyond(): 'searching' | null {
    for (;;) {
      const doubtful = this.beyond(this.bracket().fails).filter((length) => this.isOpen(length));
      if (doubtful.length === 0) return null;
      if (this.lookAt(doubtful.map(({ contextTokens }) => contextTokens)) === 'searching') return 'searching';
    }
  }

  /** The middle of what the fine grid has between the ends and nobody looked at. */
  private middle(passes: Looked | undefined, fails: Looked | undefined): number | undefined {
    if (passes === undefined || fails === undefined) return undefined;
    const between = this.design.fine.filter((length) => length > passes.contextTokens && length < fails.contextTokens && !this.looked.has(length));
    return between[Math.floor(between.length / 2)];
  }

  /** Whether all lengths that would decide have numbers. */
  private isWithinTolerance(): boolean {
    const { passes, fails } = this.bracket();
    if (passes === undefined && fails === undefined) return false;
    const [low, high] = [passes?.contextTokens ?? -Infinity, fails?.contextTokens ?? Infinity];
    return ![...this.looked.values()].some(({ contextTokens, n }) => n === 0 && contextTokens > low && contextTokens < high);
  }

  private reaches({ passed, n }: Looked): boolean {
    // 27 of 30 are 90 % whatever the floats say.
    return passed >= this.design.threshold * n - 1e-9;
  }

  private isOpen(length: Looked | undefined): length is Looked {
    return length !== undefined && !length.certain && length.look + 1 < this.design.looks.length && this.hasRoom(this.pointsOf(length.contextTokens, length.look + 1));
  }

  private hasRoom(points: readonly RefinePoint[]): boolean {
    return this.cells.length + points.length <= this.design.maximumCellsOfFrontier;
  }

  /** What a look adds to those before it. */
  private pointsOf(contextTokens: number, look: number): RefinePoint[] {
    const { seeds, looks } = this.design;
    return seeds.slice(look === 0 ? 0 : looks[look - 1], looks[look]).flatMap((seed) => this.depths.map((depth) => ({ contextTokens, depth, seed })));
  }

  /** Takes the next look at each of the lengths. */
  private lookAt(lengths: readonly number[]): Halt {
    const halts = lengths.map((length) => this.nextLook(length));
    return halts.find((halt) => halt === 'searching') ?? halts.find((halt) => halt !== null) ?? null;
  }

  private nextLook(contextTokens: number): Halt {
    const before = this.looked.get(contextTokens);
    const look = before === undefined ? 0 : before.look + 1;
    const points = this.pointsOf(contextTokens, look);
    if (look > 0 || !this.design.grid.includes(contextTokens)) {
      if (!this.hasRoom(points)) return 'limited';
      this.cells.push(...points);
    }
    const outcomes = points.map(this.outcomeOf);
    if (outcomes.includes(undefined)) return 'searching';
    const passed = (before?.passed ?? 0) + outcomes.filter((outcome) => outcome === 'passed').length;
    const n = (before?.n ?? 0) + outcomes.filter((outcome) => outcome !== 'none').length;
    this.looked.set(contextTokens, { contextTokens, look, passed, n, ...this.verdict(passed, n) });
    return null;
  }

  private verdict(passed: number, n: number): Pick<TestedLength, 'interval' | 'certain'> {
    if (n === 0) return { interval: { low: 0, high: 1 }, certain: false };
    const interval = wilsonInterval(passed, n, this.design.z);
    return { interval, certain: interval.low >= this.design.threshold || interval.high < this.design.threshold };
  }
}
