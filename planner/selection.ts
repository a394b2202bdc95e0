/**
 * What is left of the grid: the axes of the spec crossed, without what `zip`, `exclude` and `where` leave out, and with what
 * `include` adds. It is laid out one arm and task at a time.
 */
import { axisValues, valuesOf, type OneOrMore } from '../domain/axis.js';
import { conditionsOf, type PointSpec, type SweepSpec, type ZipAxis } from '../domain/spec.js';
import type { AxesOf, TaskKind } from '../domain/task.js';
import type { TaskSpec } from '../domain/taskSpec.js';
import { compileCondition, POINT_VARIABLES } from './condition.js';
import type { Places } from './places.js';

/** A combination of model, method and continual-pretrain length, as conditions name it. */
export interface ArmPoint {
  readonly model: string;
  readonly modelPosition: number;
  /** Name of the method. */
  readonly method: string;
  readonly methodLabel: string;
  readonly methodPosition: number;
  readonly factor: number | null;
  readonly continualPretrainContextTokens: number | null;
  readonly originalContextTokens: number;
}

/** A task of the spec, as far as its cells go. */
export interface GridTask<K extends TaskKind> {
  /** Index into the spec's tasks. */
  readonly index: number;
  readonly kind: K;
  readonly spec: TaskSpec;
  /** Ascending. */
  readonly contextTokens: readonly number[];
  /** Axes of its cells, ascending: those of the grid, or those of a point beside it. */
  axes(point?: PointSpec): readonly AxesOf[K][];
  /** How many those are, without laying them out. */
  axesCount(point?: PointSpec): number;
  /** Those of ascending lengths that have cells of their own. */
  cellLengths(lengths: readonly number[], tableDependsOnLength: boolean): readonly number[];
}

/** Context lengths with cells, ascending, and the axes of the cells at each. */
export type LaidOut<K extends TaskKind> = ReadonlyMap<number, readonly AxesOf[K][]>;

/** What is left of a task in an arm. */
export interface Counted {
  readonly cells: number;
  /** All that are left, those among them whose numbers are derived from longer ones. */
  readonly contextTokens: ReadonlySet<number>;
  /** Cells that each rule left out, by its position in {@link Selection.rules}. */
  readonly leftOut: readonly number[];
}

type Point = Record<string, number | string | null>;

/** Leaves cells out. */
export interface Rule {
  /** `where[0]` */
  readonly name: string;
  /** As people read it. */
  readonly text: string;
  readonly reads: ReadonlySet<string>;
  leavesOut(point: Point, task: TaskSpec): boolean;
}

/** What a point has by its task's own axes. */
const TASK_VARIABLES: readonly string[] = ['depth', 'seed', 'document'];
const readsAxes = ({ reads }: Rule): boolean => TASK_VARIABLES.some((name) => reads.has(name));

export class Selection {
  readonly rules: readonly Rule[];
  private readonly lengthRules: readonly number[];
  private readonly axesRules: readonly number[];

  /** @throws RopesweepError as {@link compileCondition} */
  constructor(
    private readonly spec: SweepSpec,
    at: Places,
  ) {
    const wheres = conditionsOf(spec);
    this.rules = [
      ...spec.zip.map((axes, index) => zipRule(spec, axes, `zip[${index}]`)),
      ...spec.exclude.map((point, index) => excludeRule(point, `exclude[${index}]`)),
      ...wheres.map((text, index) => whereRule(text, wheres.length === 1 ? 'where' : `where[${index}]`, at(typeof spec.where === 'string' ? ['where'] : ['where', index]))),
    ];
    const positions = this.rules.map((_, position) => position);
    this.axesRules = positions.filter((position) => readsAxes(this.rule(position)));
    this.lengthRules = positions.filter((position) => !readsAxes(this.rule(position)));
  }

  /** Whether any rule reads which document a cell is of. */
  get readsDocuments(): boolean {
    return this.rules.some(({ reads }) => reads.has('document'));
  }

  /** Whether the cells of a task have to be gone through one by one to know which are left. */
  get isIrregular(): boolean {
    return this.axesRules.length > 0 || this.spec.include.length > 0;
  }

  /** Continual-pretrain lengths of a method: those of the spec, then those of included points. */
  continualLengths(arm: Pick<ArmPoint, 'model' | 'method' | 'methodLabel'>): (number | null)[] {
    const included = this.spec.include.filter((point) => names(point.model, arm.model) && namesMethod(point, arm));
    return [...new Set([...axisValues(this.spec.continualPretrainContextTokens), ...included.flatMap(({ continualPretrainContextTokens: lengths }) => (lengths === undefined ? [] : valuesOf(lengths)))])];
  }

  /** Cells of one task in one arm at most, counted without laying them out: exact unless the selection {@link isIrregular}. */
  countAtMost<K extends TaskKind>(arm: ArmPoint, task: GridTask<K>, tableDependsOnLength: boolean): number {
    const { left } = this.lengthsOfGrid(arm, task);
    const included = this.included(arm, task).map((point) => valuesOf(point.contextTokens ?? task.contextTokens).length * task.axesCount(point));
    return included.reduce((sum, cells) => sum + cells, task.cellLengths(left, tableDependsOnLength).length * task.axesCount());
  }

  /** Where the selection is regular, no cell is laid out for it. */
  count<K extends TaskKind>(arm: ArmPoint, task: GridTask<K>, tableDependsOnLength: boolean, documentsKnown: boolean): Counted {
    const { laid, shown, contextTokens, leftOut } = this.look(arm, task, tableDependsOnLength, documentsKnown);
    const cells = laid === null ? shown.length * (shown.length === 0 ? 0 : task.axesCount()) : [...laid.values()].reduce((sum, axes) => sum + axes.length, 0);
    return { cells, contextTokens, leftOut };
  }

  lay<K extends TaskKind>(arm: ArmPoint, task: GridTask<K>, tableDependsOnLength: boolean): LaidOut<K> {
    const { laid, shown } = this.look(arm, task, tableDependsOnLength, true);
    return laid ?? new Map(shown.map((length) => [length, task.axes()]));
  }

  /** @returns laid: null where all axes have cells at the same lengths, those shown */
  private look<K extends TaskKind>(arm: ArmPoint, task: GridTask<K>, tableDependsOnLength: boolean, documentsKnown: boolean) {
    const { left, leftOutBy } = this.lengthsOfGrid(arm, task);
    const leftOut = this.rules.map(() => 0);
    const cellLengths = (lengths: readonly number[]) => task.cellLengths(lengths, tableDependsOnLength);
    const whole = this.isInGrid(arm) ? cellLengths(task.contextTokens) : [];
    const blame = (shown: readonly number[], ruleOf: (length: number) => number | undefined, cells: number) => {
      if (shown.length === whole.length) return;
      for (const length of whole) {
        const rule = ruleOf(length);
        if (rule !== undefined) leftOut[rule] = (leftOut[rule] ?? 0) + cells;
      }
    };
    const included = this.included(arm, task);
    const axesRules = this.axesRules.filter((position) => documentsKnown || !this.rule(position).reads.has('document'));
    if (axesRules.length === 0 && included.length === 0) {
      const shown = cellLengths(left);
      blame(shown, (length) => leftOutBy.get(length), task.axesCount());
      return { laid: null, shown, contextTokens: new Set(left), leftOut };
    }
    const cells = new Map<number, AxesOf[K][]>();
    const contextTokens = new Set<number>();
    const point = pointOf(arm, task);
    const lengthsOf = includedLengths(included, task);
    for (const axes of joinedAxes(task.axes(), lengthsOf)) {
      const lost = new Map(leftOutBy);
      const isOfGrid = !lengthsOf.get(textOf(axes))?.beside;
      Object.assign(point, axes);
      const kept = !isOfGrid ? [] : left.filter((length) => {
        point['contextTokens'] = length;
        const rule = axesRules.find((position) => this.rule(position).leavesOut(point, task.spec));
        if (rule !== undefined) lost.set(length, rule);
        return rule === undefined;
      });
      const added = lengthsOf.get(textOf(axes))?.lengths;
      const all = added === undefined ? kept : [...new Set([...kept, ...added])].sort((a, b) => a - b);
      if (isOfGrid) blame(cellLengths(kept), (length) => lost.get(length), 1);
      for (const length of all) contextTokens.add(length);
      for (const length of cellLengths(all)) {
        const there = cells.get(length);
        if (there === undefined) cells.set(length, [axes]);
        else there.push(axes);
      }
    }
    const laid: LaidOut<K> = new Map([...cells].sort(([a], [b]) => a - b));
    return { laid, shown: [], contextTokens, leftOut };
  }

  private rule(position: number): Rule {
    const rule = this.rules[position];
    if (rule === undefined) throw new RangeError(`no rule ${position}`);
    return rule;
  }

  private isInGrid({ continualPretrainContextTokens }: ArmPoint): boolean {
    return axisValues(this.spec.continualPretrainContextTokens).includes(continualPretrainContextTokens);
  }

  /** Context lengths of the grid that rules about lengths leave, and which rule left out which. */
  private lengthsOfGrid<K extends TaskKind>(arm: ArmPoint, task: GridTask<K>) {
    const leftOutBy = new Map<number, number>();
    if (!this.isInGrid(arm)) return { left: [], leftOutBy };
    const point = pointOf(arm, task);
    const left = task.contextTokens.filter((length) => {
      point['contextTokens'] = length;
      const rule = this.lengthRules.find((position) => this.rule(position).leavesOut(point, task.spec));
      if (rule !== undefined) leftOutBy.set(length, rule);
      return rule === undefined;
    });
    return { left, leftOutBy };
  }

  private included<K extends TaskKind>(arm: ArmPoint, task: GridTask<K>): PointSpec[] {
    const lengths = axisValues(this.spec.continualPretrainContextTokens);
    return this.spec.include.filter(
      (point) =>
        names(point.model, arm.model) && namesMethod(point, arm) && names(point.task, task.index) && names(point.taskKind, task.kind) &&
        (point.continualPretrainContextTokens === undefined ? lengths : valuesOf(point.continualPretrainContextTokens)).includes(arm.continualPretrainContextTokens),
    );
  }
}

/** Whether a part of the grid has a value; what it does not name may be anything. */
const names = <Value extends number | string | null>(part: OneOrMore<Value> | undefined, value: Value): boolean => part === undefined || valuesOf(part).includes(value);
const namesMethod = ({ method }: PointSpec, arm: Pick<ArmPoint, 'method' | 'methodLabel'>): boolean => names(method, arm.method) || names(method, arm.methodLabel);

const pointOf = <K extends TaskKind>(arm: ArmPoint, { index, kind }: GridTask<K>): Point => ({ ...arm, task: index, taskKind: kind, contextTokens: null, depth: null, seed: null, document: null });

/** What axes of a task are told apart by. */
const textOf = (axes: object): string => Object.values(axes).join('/');

interface IncludedAxes<K extends TaskKind> {
  readonly axes: AxesOf[K];
  readonly lengths: Set<number>;
  /** Not among the axes of the grid. */
  readonly beside: boolean;
}

function includedLengths<K extends TaskKind>(included: readonly PointSpec[], task: GridTask<K>): ReadonlyMap<string, IncludedAxes<K>> {
  const found = new Map<string, IncludedAxes<K>>();
  const ofGrid = included.length === 0 ? new Set<string>() : new Set(task.axes().map(textOf));
  for (const point of included) {
    for (const axes of task.axes(point)) {
      const text = textOf(axes);
      const entry = found.get(text) ?? { axes, lengths: new Set<number>(), beside: !ofGrid.has(text) };
      for (const length of valuesOf<number>(point.contextTokens ?? task.contextTokens)) entry.lengths.add(length);
      found.set(text, entry);
    }
  }
  return found;
}

/** Axes of the grid and those beside it, ascending. */
function joinedAxes<K extends TaskKind>(ofGrid: readonly AxesOf[K][], included: ReadonlyMap<string, IncludedAxes<K>>): readonly AxesOf[K][] {
  const beside = [...included.values()].flatMap((entry) => (entry.beside ? [entry.axes] : []));
  return beside.length === 0 ? ofGrid : [...ofGrid, ...beside].sort(byAxes);
}

/** Documents have an order of their own, and none stands beside the grid. */
function byAxes(a: object, b: object): number {
  const [ofA, ofB] = [Object.values(a) as unknown[], Object.values(b) as unknown[]];
  const differing = ofA.findIndex((value, index) => value !== ofB[index]);
  return differing < 0 ? 0 : Number(ofA[differing]) - Number(ofB[differing]);
}

const ZIPPED: { readonly [A in ZipAxis]: string } = {
  models: 'model',
  methods: 'method',
  continualPretrainContextTokens: 'continualPretrainContextTokens',
  contextTokens: 'contextTokens',
  depths: 'depth',
  seeds: 'seed',
};

/** Values of a list in its order; null where a task has no such list. Models and methods go by their positions. */
export function zippedValues(spec: Pick<SweepSpec, 'contextTokens' | 'continualPretrainContextTokens'>, axis: ZipAxis, task: TaskSpec): readonly (number | null)[] | null {
  switch (axis) {
    case 'models':
    case 'methods':
      return null;
    case 'continualPretrainContextTokens':
      return axisValues(spec.continualPretrainContextTokens);
    case 'contextTokens':
      return axisValues(task.contextTokens ?? spec.contextTokens);
    case 'depths':
      return task.kind === 'needle' ? axisValues(task.depths) : null;
    case 'seeds':
      return task.kind === 'needle' ? axisValues(task.seeds) : null;
  }
}

interface Zipped {
  readonly variable: string;
  /** null where the variable is a position itself. */
  readonly positionOf: ReadonlyMap<unknown, number> | null;
}

/** Cells whose values stand at different positions of their lists. */
function zipRule(spec: SweepSpec, axes: readonly ZipAxis[], name: string): Rule {
  const positions = new Map<TaskSpec, readonly Zipped[]>();
  const positionsIn = (task: TaskSpec) => {
    const known = positions.get(task) ?? axes.flatMap((axis): Zipped[] => {
      if (axis === 'models' || axis === 'methods') return [{ variable: `${ZIPPED[axis]}Position`, positionOf: null }];
      const values = zippedValues(spec, axis, task);
      return values === null ? [] : [{ variable: ZIPPED[axis], positionOf: new Map(values.map((value, position) => [value, position])) }];
    });
    positions.set(task, known);
    return known;
  };
  return {
    name,
    text: `${axes.join(' and ')} move together`,
    reads: new Set(axes.map((axis) => ZIPPED[axis])),
    leavesOut(point, task) {
      let together: unknown;
      for (const { variable, positionOf } of positionsIn(task)) {
        const position = positionOf === null ? point[variable] : positionOf.get(point[variable]);
        together ??= position;
        if (position !== together) return true;
      }
      return false;
    },
  };
}

function excludeRule(part: PointSpec, name: string): Rule {
  const wanted = Object.entries(part).flatMap(([variable, values]) => (values === undefined ? [] : [{ variable, values: new Set<unknown>(valuesOf(values as OneOrMore<number | string | null>)) }]));
  return {
    name,
    text: partText(part),
    reads: new Set(wanted.map(({ variable }) => variable)),
    leavesOut: (point) => wanted.every(({ variable, values }) => values.has(point[variable]) || (variable === 'method' && values.has(point['methodLabel']))),
  };
}

function whereRule(text: string, name: string, place: string): Rule {
  const condition = compileCondition(text, POINT_VARIABLES, place, 'SPEC_INVALID');
  return { name, text, reads: condition.reads, leavesOut: (point) => !condition.holds(point) };
}

/** `method ntk 8, contextTokens 256 or 512` */
export const partText = (part: PointSpec): string =>
  Object.entries(part)
    .flatMap(([name, values]) => {
      if (values === undefined) return [];
      if (typeof values === 'object' && values !== null && !Array.isArray(values)) return [`${name} ${values.from} to ${values.to}`];
      const all = valuesOf(values as OneOrMore<number | string | null>);
      return [`${name} ${all.length > 6 ? `${all.slice(0, 5).join(', ')}, ... (${all.length} values)` : all.join(' or ')}`];
    })
    .join(', ');
