/**
 * Zod's issues as sentences for the person who wrote the sweep file: what is wrong there, what would be right.
 */
import { closestMatch } from 'leven';
import type { z } from 'zod';
import { METHOD_NAMES } from '../domain/method.js';
import type { SpecPath } from './places.js';
import { knownKeys } from './schemaTree.js';

/** A problem that has a path, not yet a line. */
export interface PathProblem {
  readonly path: SpecPath;
  readonly what: string;
  readonly mend: string;
}

type Issue = z.core.$ZodIssue;
type Of<Code extends Issue['code']> = Extract<Issue, { code: Code }>;

/** @param tree the whole value that was checked */
export function describeIssue(issue: Issue, tree: unknown, prefix: SpecPath = []): PathProblem[] {
  const path = [...prefix, ...(issue.path as (string | number)[])];
  const value = valueAt(tree, path);
  const one = (what: string, mend: string): PathProblem[] => [{ path, what, mend }];
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined ? one('it is missing', `Write ${expected(issue.expected)}.`) : one(...wrongType(issue.expected, value));
    case 'too_small':
      return one(...tooSmall(issue, value));
    case 'too_big':
      return issue.origin === 'number'
        ? one(`${shown(value)} is too large`, `It must be ${issue.inclusive === false ? '<' : '<='} ${String(issue.maximum)}.`)
        : one(issue.message, `At most ${String(issue.maximum)}.`);
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], what: `"${key}" is not known here`, mend: suggestion(key, knownKeys(path, tree)) }));
    case 'invalid_value':
      return value === undefined
        ? one('it is missing', `Write one of ${issue.values.map(String).join(', ')}.`)
        : one(`${shown(value)} is not one of ${issue.values.map(String).join(', ')}`, suggestion(value, issue.values.map(String)));
    case 'invalid_union':
      return describeUnion(issue, tree, path, value);
    case 'invalid_format':
      return one(`${shown(value)} does not fit`, sentence(issue.message));
    default:
      return one(issue.message, 'See docs/schema/sweep.schema.json.');
  }
}

function describeUnion(issue: Of<'invalid_union'>, tree: unknown, path: SpecPath, value: unknown): PathProblem[] {
  if (issue.discriminator !== undefined) {
    const options = ('options' in issue && Array.isArray(issue.options) ? issue.options : []).map(String);
    const noun = nounOf(path);
    const what = value === undefined ? `the ${noun} is missing` : `unknown ${noun} ${shown(value)}`;
    return [{ path, what, mend: suggestion(value, options) }];
  }
  // The branch that the value was meant for is the one whose complaints lie inside of it.
  const meant = issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'));
  if (meant !== undefined) return meant.flatMap((inner) => describeIssue(inner, tree, path));
  if (path[0] === 'methods' && typeof value === 'string') {
    return (METHOD_NAMES as readonly string[]).includes(value)
      ? [{ path, what: `"${value}" needs parameters`, mend: `Write {name: ${value}, ${value === 'custom' ? 'file: table.json' : 'factor: 8'}}; only none stands alone.` }]
      : [{ path, what: `unknown method "${value}"`, mend: suggestion(value, METHOD_NAMES) }];
  }
  const fitting = branchesOfKind(issue.errors, value);
  if (fitting.length === 1) return (fitting[0] ?? []).flatMap((inner) => describeIssue(inner, tree, path));
  const wanted = issue.errors.flat().map((inner) => (inner.code === 'invalid_type' ? expected(inner.expected) : inner.code === 'invalid_value' ? inner.values.map(String).join(', ') : inner.message));
  return [{ path, what: `${shown(value)} is neither ${wanted.join(' nor ')}`, mend: `Write ${wanted.join(' or ')}.` }];
}

/** Branches that take a value of this kind (or, of a single value, a list of such): their complaints are the ones to tell. */
function branchesOfKind(branches: readonly (readonly Issue[])[], value: unknown): (readonly Issue[])[] {
  const asks = (type: string) => (branch: readonly Issue[]): boolean => branch.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type' && inner.expected === type);
  const isPlain = typeof value !== 'object' || value === null;
  const plain = branches.filter((branch) => !asks('array')(branch) && !asks('object')(branch) && branch.every((inner) => inner.code !== 'invalid_union'));
  if (isPlain) return plain.length > 0 ? plain : branches.filter(asks('array'));
  return branches.filter((branch) => branch.every((inner) => inner.path.length > 0 || inner.code !== 'invalid_type'));
}

const NOUNS: Readonly<Record<string, string>> = { methods: 'method', tasks: 'task kind', haystack: 'haystack kind', needle: 'needle kind' };

/** What a discriminator names: `methods[0].name` is a method. */
const nounOf = (path: SpecPath): string => {
  const owner = path.slice(0, -1).findLast((part) => typeof part === 'string');
  return NOUNS[owner ?? ''] ?? String(path.at(-1));
};

function tooSmall(issue: Of<'too_small'>, value: unknown): [what: string, mend: string] {
  if (issue.origin === 'array') return ['the list is empty', `Give at least ${String(issue.minimum)}.`];
  if (issue.origin === 'string') return ['the text is empty', 'Write it, or leave the key out if it is optional.'];
  return [`${shown(value)} is too small`, `It must be ${issue.inclusive === false ? '>' : '>='} ${String(issue.minimum)}.`];
}

function wrongType(type: string, value: unknown): [what: string, mend: string] {
  const what = `${shown(value)} is not ${expected(type)}`;
  return [what, type === 'array' ? `Write it as a list: [${shown(value)}].` : `Write ${expected(type)}.`];
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys to values',
};
const expected = (type: string): string => EXPECTED[type] ?? type;

/** `Did you mean yarn? Known: none, pi, ntk, yarn.` */
function suggestion(written: unknown, known: readonly string[]): string {
  const list = `Known: ${known.join(', ')}.`;
  const close = typeof written === 'string' ? closestMatch(written, known, { maxDistance: Math.max(2, Math.floor(written.length / 3)) }) : undefined;
  return close === undefined ? list : `Did you mean ${close}? ${list}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function valueAt(tree: unknown, path: SpecPath): unknown {
  return path.reduce<unknown>((here, part) => (here as Record<string | number, unknown> | null | undefined)?.[part], tree);
}
