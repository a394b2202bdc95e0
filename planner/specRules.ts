/**
 * Rules of a sweep file that a schema cannot say. They read the plain tree, so that they speak up beside the schema's complaints.
 */
import { methodSchema } from '../domain/method.js';
import { unknownPlaceholders } from './continued.js';
import type { PathProblem } from './issueText.js';
import type { SpecPath } from './places.js';

type Tree = Readonly<Record<string, unknown>>;
const asTree = (value: unknown): Tree => (typeof value === 'object' && value !== null ? (value as Tree) : {});

export function brokenRules(value: unknown): PathProblem[] {
  const spec = asTree(value);
  const tasks = Array.isArray(spec['tasks']) ? (spec['tasks'] as unknown[]) : [];
  return [
    ...duplicates(['methods'], spec['methods']),
    ...duplicates(['continualPretrainContextTokens'], spec['continualPretrainContextTokens']),
    ...duplicates(['contextTokens'], spec['contextTokens']),
    ...tasks.flatMap((task, index) => [
      ...TASK_LISTS.flatMap((list) => duplicates(['tasks', index, list], asTree(task)[list])),
      ...duplicates(['tasks', index, 'documents', 'seeds'], asTree(asTree(task)['documents'])['seeds']),
      ...strides(['tasks', index, 'windows', 'strideTokens'], asTree(task), spec['contextTokens']),
    ]),
    ...extents(spec['methods']),
    ...placeholders(asTree(spec['model'])['continued']),
  ];
}

/** Lists of a task that each value stands in once. */
const TASK_LISTS = ['contextTokens', 'depths', 'seeds', 'buckets', 'axes', 'references'] as const;

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

/** An axis that names a value twice would plan its cells twice. */
function duplicates(path: SpecPath, axis: unknown): PathProblem[] {
  if (!Array.isArray(axis)) return [];
  const first = new Map<string, number>();
  return axis.flatMap((value: unknown, index) => {
    const text = JSON.stringify(value);
    const earlier = first.get(text);
    if (earlier === undefined) {
      first.set(text, index);
      return [];
    }
    return [{ path: [...path, index], what: `${text} stands twice in this list (first as number ${earlier + 1})`, mend: 'Leave one of them out.' }];
  });
}

/** Windows that start further apart than they reach would leave tokens out. */
function strides(path: SpecPath, task: Tree, ofSweep: unknown): PathProblem[] {
  const stride = asTree(task['windows'])['strideTokens'];
  const contexts: unknown = task['contextTokens'] ?? ofSweep;
  if (typeof stride !== 'number' || !Array.isArray(contexts)) return [];
  const shortest = Math.min(...contexts.filter((length): length is number => typeof length === 'number'));
  if (stride < shortest) return [];
  return [{ path, what: `windows of ${shortest} tokens that start every ${stride} leave tokens out`, mend: `Use fewer than ${shortest}, or windows: { kind: disjoint }.` }];
}

function placeholders(continued: unknown): PathProblem[] {
  if (typeof continued !== 'string') return [];
  return unknownPlaceholders(continued).map((name) => ({
    path: ['model', 'continued'],
    what: `the pattern holds {${name}}, which means nothing`,
    mend: 'Use {method}, {length} and {factor}.',
  }));
}
