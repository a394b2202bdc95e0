/**
 * How many cells each arm would have, told from the spec alone: before a checkpoint is looked for, a document read or a
 * grid beyond its limit laid out.
 */
import { valuesOf } from '../domain/axis.js';
import type { Method } from '../domain/method.js';
import type { LeftOut } from '../domain/plan.js';
import type { PointSpec, SweepSpec } from '../domain/spec.js';
import type { TaskKind } from '../domain/task.js';
import { methodLabel, tableDependsOnLength } from '../rope/method.js';
import type { Findings } from './findings.js';
import type { Places } from './places.js';
import { partText, type ArmPoint, type GridTask, type Selection } from './selection.js';

/** A model whose base is known, with the sweep's methods as it takes them. */
export interface SurveyedModel {
  readonly name: string;
  /** Among the models of the spec. */
  readonly position: number;
  readonly originalContextTokens: number;
  readonly methods: readonly Method[];
}

/** A combination of model, method and continual-pretrain length. */
export interface ArmOfGrid {
  readonly point: ArmPoint;
  readonly method: Method;
}
export interface SurveyedArm extends ArmOfGrid {
  /** Cells of all tasks. */
  readonly cells: number;
}

export interface Survey {
  /** Those with cells. */
  readonly arms: readonly SurveyedArm[];
  /** By model and task of the spec: context lengths that are left in any arm, ascending. */
  readonly contextTokens: (modelPosition: number, task: number) => readonly number[];
  readonly leftOut: readonly LeftOut[];
  readonly notices: readonly string[];
}

/** Every combination, in the order of the spec. */
export const armsOfGrid = (selection: Selection, models: readonly SurveyedModel[]): ArmOfGrid[] =>
  models.flatMap(({ name, position, originalContextTokens, methods }) =>
    methods.flatMap((method, methodPosition) => {
      const named = { model: name, method: method.name, methodLabel: methodLabel(method) };
      return selection.continualLengths(named).map((continualPretrainContextTokens): ArmOfGrid => ({
        method,
        point: { ...named, modelPosition: position, methodPosition, factor: ('factor' in method ? method.factor : undefined) ?? null, continualPretrainContextTokens, originalContextTokens },
      }));
    }),
  );

/** Cells at most; exact unless the selection is irregular. */
export const cellsAtMost = (selection: Selection, arms: readonly ArmOfGrid[], tasks: readonly GridTask<TaskKind>[]): number =>
  arms.reduce((sum, { point, method }) => tasks.reduce((cells, task) => cells + selection.countAtMost(point, task, tableDependsOnLength(method)), sum), 0);

/** An irregular grid is gone through cell by cell up to so many times its limit, or this many cells. */
const LAID_OUT_LIMITS = 10;
const LAID_OUT_CELLS = 1_000_000;

/** Says no to a grid whose cells would have to be gone through one by one and are far more than its limit. @returns whether it did */
export function refuseVast(spec: SweepSpec, selection: Selection, cells: number, at: Places, findings: Findings): boolean {
  const most = Math.max(LAID_OUT_LIMITS * spec.cellLimit, LAID_OUT_CELLS);
  if (!selection.isIrregular || cells <= most) return false;
  findings.add('SPEC_INVALID', {
    where: at(['cellLimit']),
    what: `conditions on depth, seed or document, and included points, leave an unknown part of ${cells} cells, and no more than ${most} are gone through to count it`,
    mend: 'Shorten an axis, or leave out whole lengths, methods or models by a condition that reads nothing else.',
  });
  return true;
}

/** @param tasksOf the tasks of a model; the same for all until documents are known */
export function survey(selection: Selection, arms: readonly ArmOfGrid[], tasksOf: (modelPosition: number) => readonly GridTask<TaskKind>[], documentsKnown: boolean): Survey {
  const lengths = new Map<string, Set<number>>();
  const leftOut = selection.rules.map(() => 0);
  const surveyed = arms.map(({ point, method }): SurveyedArm => {
    let cells = 0;
    for (const task of tasksOf(point.modelPosition)) {
      const counted = selection.count(point, task, tableDependsOnLength(method), documentsKnown);
      cells += counted.cells;
      counted.leftOut.forEach((count, rule) => (leftOut[rule] = (leftOut[rule] ?? 0) + count));
      const place = `${point.modelPosition}/${task.index}`;
      const known = lengths.get(place) ?? new Set<number>();
      for (const length of counted.contextTokens) known.add(length);
      lengths.set(place, known);
    }
    return { point, method, cells };
  });
  return {
    arms: surveyed.filter(({ cells }) => cells > 0),
    contextTokens: (modelPosition, task) => [...(lengths.get(`${modelPosition}/${task}`) ?? [])].sort((a, b) => a - b),
    leftOut: selection.rules.flatMap(({ name, text }, rule) => ((leftOut[rule] ?? 0) === 0 ? [] : [{ rule: name, cells: leftOut[rule] ?? 0, reason: text }])),
    notices: selection.rules.flatMap(({ name, text }, rule) => (name.startsWith('exclude') && leftOut[rule] === 0 ? [`${name} (${text}) leaves out nothing`] : [])),
  };
}

/** Models and methods that parts of the grid name and the sweep does not have. */
export function checkParts(spec: SweepSpec, models: readonly SurveyedModel[], at: Places, findings: Findings): void {
  const methods = models.flatMap(({ methods: all }) => all.flatMap((method) => [methodLabel(method), method.name]));
  const known = { model: models.map(({ name }) => name), method: methods };
  for (const list of ['exclude', 'include'] as const) {
    for (const [index, part] of spec[list].entries()) {
      for (const name of ['model', 'method'] as const) {
        const strangers = named(part[name]).filter((value) => !known[name].includes(value));
        if (strangers.length === 0) continue;
        findings.add('SPEC_INVALID', { where: at([list, index, name]), what: `${strangers.join(' and ')} is no ${name} of this sweep (${partText(part)})`, mend: `Use one of ${[...new Set(known[name])].join(', ')}.` });
      }
    }
  }
}

const named = (values: PointSpec['model']): readonly string[] => (values === undefined ? [] : valuesOf(values));
