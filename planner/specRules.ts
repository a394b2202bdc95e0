/**
 * Rules of a sweep file that a schema cannot say. They read the plain tree, so that they speak up beside the schema's complaints.
 */
import { axisValues, rangeProblem, type Axis, type AxisRules } from '../domain/axis.js';
import { methodSchema } from '../domain/method.js';
import { ZIP_AXES } from '../domain/spec.js';
import { conditionProblem, POINT_VARIABLES } from './condition.js';
import { unknownPlaceholders } from './continued.js';
import type { PathProblem } from './issueText.js';
import type { SpecPath } from './places.js';

type Tree = Readonly<Record<string, unknown>>;
const asTree = (value: unknown): Tree => (typeof value === 'object' && value !== null ? (value as Tree) : {});

export function brokenRules(value: unknown): PathProblem[] {
  const spec = asTree(value);
  const tasks = listOf(spec['tasks']);
  return [
    ...modelProblems(spec),
    ...duplicates(['methods'], spec['methods']),
    ...axisProblems(['continualPretrainContextTokens'], spec['continualPretrainContextTokens'], TOKENS),
    ...axisProblems(['contextTokens'], spec['contextTokens'], TOKENS),
    ...tasks.flatMap((task, index) => [
      ...axisProblems(['tasks', index, 'contextTokens'], asTree(task)['contextTokens'], TOKENS),
      ...axisProblems(['tasks', index, 'depths'], asTree(task)['depths'], FRACTIONS),
      ...axisProblems(['tasks', index, 'seeds'], asTree(task)['seeds'], SEEDS),
      ...axisProblems(['tasks', index, 'documents', 'seeds'], asTree(asTree(task)['documents'])['seeds'], SEEDS),
      ...TASK_LISTS.flatMap((list) => duplicates(['tasks', index, list], asTree(task)[list])),
      ...strides(['tasks', index, 'windows', 'strideTokens'], asTree(task), spec['contextTokens']),
    ]),
    ...extents(spec['methods']),
    ...zipProblems(spec, tasks),
    ...(['exclude', 'include'] as const).flatMap((list) => listOf(spec[list]).flatMap((part, index) => partProblems([list, index], part, tasks.length))),
    ...conditionProblems(spec['where']),
    ...placeholders(['model', 'continued'], asTree(spec['model'])['continued']),
    ...listOf(spec['models']).flatMap((model, index) => placeholders(['models', index, 'continued'], asTree(model)['continued'])),
  ];
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? (value as unknown[]) : []);

/** Lists of a task that each value stands in once. */
const TASK_LISTS = ['buckets', 'axes', 'references'] as const;

const TOKENS: AxisRules = { whole: true, least: 1, most: Infinity };
const SEEDS: AxisRules = { whole: true, least: 0, most: Infinity };
const FRACTIONS: AxisRules = { whole: false, least: 0, most: 1 };

function modelProblems(spec: Tree): PathProblem[] {
  const [one, several] = [spec['model'] !== undefined, spec['models'] !== undefined];
  if (one && several) return [{ path: ['models'], what: 'model stands beside it', mend: 'Leave one of them out: models: a list, or model: a single one.' }];
  if (!one && !several) return [{ path: ['model'], what: 'it is missing', mend: 'Write model: {name, base}, or models: a list of them.' }];
  const names = listOf(spec['models']).map((model) => asTree(model)['name']);
  return names.flatMap((name, index) =>
    name === undefined || names.indexOf(name) === index ? [] : [{ path: ['models', index, 'name'], what: `another model is called ${JSON.stringify(name)} too`, mend: 'Give each a name of its own.' }],
  );
}

/** Ranges that stand for nothing, and values that stand twice: their cells would be planned twice. */
function axisProblems(path: SpecPath, axis: unknown, rules: AxisRules): PathProblem[] {
  const entries = Array.isArray(axis) ? (axis as unknown[]) : isRangeLike(axis) ? [axis] : [];
  const placeOf = (index: number): SpecPath => (Array.isArray(axis) ? [...path, index] : path);
  const problems = entries.flatMap((entry, index): PathProblem[] => {
    const problem = isRangeLike(entry) ? rangeProblem(entry, rules) : null;
    return problem === null ? [] : [{ path: placeOf(index), ...problem }];
  });
  if (problems.length > 0 || entries.length < 2) return problems;
  return duplicates(path, entries.map((entry) => (isRangeLike(entry) ? axisValues(entry) : entry)));
}

/** With the types that the schema asks for; anything else is its to tell. */
function isRangeLike(entry: unknown): entry is Exclude<Axis<never>, readonly unknown[]> {
  const { from, to, step = 1, factor = 2, count = 2, ...others } = asTree(entry);
  const numbers = [from, to, step, factor, count];
  if (!numbers.every((number): number is number => typeof number === 'number' && Number.isFinite(number)) || Object.keys(others).length > 0) return false;
  return Number(step) > 0 && Number(factor) > 1 && Number.isInteger(count) && Number(count) >= 2;
}

/** Lists that move together are equally long. */
function zipProblems(spec: Tree, tasks: readonly unknown[]): PathProblem[] {
  return listOf(spec['zip']).flatMap((group, index) => {
    if (!Array.isArray(group) || !group.every((axis) => (ZIP_AXES as readonly unknown[]).includes(axis))) return [];
    const twice = group.find((axis, position) => group.indexOf(axis) !== position) as string | undefined;
    if (twice !== undefined) return [{ path: ['zip', index], what: `${twice} stands twice`, mend: 'Name two lists or more.' }];
    const told = new Set<string>();
    return tasks.flatMap((task) => {
      const lengths = group.flatMap((axis: string) => {
        const list = axis === 'depths' || axis === 'seeds' ? asTree(task)[axis] : axis === 'contextTokens' ? (asTree(task)[axis] ?? spec[axis]) : spec[axis];
        const length = lengthOf(list);
        return length === null ? [] : [{ axis, length }];
      });
      const text = lengths.map(({ axis, length }) => `${axis} has ${length} values`).join(', ');
      if (new Set(lengths.map(({ length }) => length)).size < 2 || told.has(text)) return [];
      told.add(text);
      return [{ path: ['zip', index], what: `${text}: they cannot move together`, mend: 'Make the lists equally long.' }];
    });
  });
}

/** Values of a list; null where it is absent or broken. */
function lengthOf(list: unknown): number | null {
  const entries = Array.isArray(list) ? (list as unknown[]) : isRangeLike(list) ? [list] : null;
  if (entries === null) return null;
  const ranges = entries.filter(isRangeLike);
  if (ranges.some((range) => rangeProblem(range, { whole: range.count === undefined, least: -Infinity, most: Infinity }) !== null)) return null;
  return ranges.reduce((sum, range) => sum + axisValues(range).length - 1, entries.length);
}

const PART_RULES: Readonly<Record<string, AxisRules>> = { continualPretrainContextTokens: TOKENS, contextTokens: TOKENS, task: SEEDS, depth: FRACTIONS, seed: SEEDS };

function partProblems(path: SpecPath, part: unknown, tasks: number): PathProblem[] {
  const tree = asTree(part);
  if (typeof part === 'object' && part !== null && Object.keys(tree).length === 0) return [{ path, what: 'it names nothing, so it is the whole grid', mend: 'Name a part: {method: ntk 8, contextTokens: 4096}.' }];
  const stranger = [tree['task']].flat().find((task) => typeof task === 'number' && task >= tasks);
  return [
    ...(stranger === undefined ? [] : [{ path: [...path, 'task'], what: `there is no tasks[${JSON.stringify(stranger)}]`, mend: `Tasks are counted from 0; the last is ${tasks - 1}.` }]),
    ...Object.entries(PART_RULES).flatMap(([name, rules]) => axisProblems([...path, name], tree[name], rules)),
  ];
}

function conditionProblems(where: unknown): PathProblem[] {
  const all = Array.isArray(where) ? (where as unknown[]).map((text, index) => ({ text, path: ['where', index] })) : [{ text: where, path: ['where'] }];
  return all.flatMap(({ text, path }) => {
    const problem = typeof text === 'string' && text !== '' ? conditionProblem(text, POINT_VARIABLES) : null;
    return problem === null ? [] : [{ path, what: problem.what, mend: problem.mend ?? '' }];
  });
}

/** What says how far a method reaches, by method. */
const EXTENTS: Readonly<Record<string, readonly string[]>> = {
  pi: ['factor', 'targetContextTokens'],
  ntk: ['factor', 'targetContextTokens', 'base'],
  'dynamic-ntk': ['factor', 'targetContextTokens'],
  yarn: ['factor', 'targetContextTokens'],
  longrope: ['factor', 'targetContextTokens', 'attentionFactor'],
  llama3: ['factor', 'targetContextTokens'],
};

const knownParameters = (name: string): string[] =>
  methodSchema.options.filter(({ shape }) => shape.name.value === name).flatMap(({ shape }) => Object.keys(shape));

function extents(methods: unknown): PathProblem[] {
  if (!Array.isArray(methods)) return [];
  return methods.flatMap((method: unknown, index) => {
    const tree = asTree(method);
    const fields = EXTENTS[String(tree['name'])];
    // A misspelt parameter is told as such, with what was meant.
    const misspelt = Object.keys(tree).some((key) => !knownParameters(String(tree['name'])).includes(key));
    if (fields === undefined || misspelt || fields.some((field) => tree[field] !== undefined)) return [];
    return [{ path: ['methods', index], what: `${String(tree['name'])} does not say how far it reaches`, mend: `Give ${fields.join(' or ')}.` }];
  });
}

function duplicates(path: SpecPath, axis: unknown): PathProblem[] {
  if (!Array.isArray(axis)) return [];
  const first = new Map<string, number>();
  return axis.flatMap((entry: unknown, index) => {
    for (const value of Array.isArray(entry) ? (entry as unknown[]) : [entry]) {
      const text = JSON.stringify(value);
      const earlier = first.get(text);
      if (earlier !== undefined) return [{ path: [...path, index], what: `${text} stands twice in this list (first as number ${earlier + 1})`, mend: 'Leave one of them out.' }];
      first.set(text, index);
    }
    return [];
  });
}

/** Windows that start further apart than they reach would leave tokens out. */
function strides(path: SpecPath, task: Tree, ofSweep: unknown): PathProblem[] {
  const stride = asTree(task['windows'])['strideTokens'];
  const contexts: unknown = task['contextTokens'] ?? ofSweep;
  const entries = Array.isArray(contexts) ? (contexts as unknown[]) : [contexts];
  if (typeof stride !== 'number') return [];
  const shortest = Math.min(...entries.flatMap((length: unknown) => (typeof length === 'number' ? [length] : isRangeLike(length) ? [length.from] : [])));
  if (stride < shortest) return [];
  return [{ path, what: `windows of ${shortest} tokens that start every ${stride} leave tokens out`, mend: `Use fewer than ${shortest}, or windows: { kind: disjoint }.` }];
}

function placeholders(path: SpecPath, continued: unknown): PathProblem[] {
  if (typeof continued !== 'string') return [];
  return unknownPlaceholders(continued).map((name) => ({
    path,
    what: `the pattern holds {${name}}, which means nothing`,
    mend: 'Use {method}, {length} and {factor}.',
  }));
}
