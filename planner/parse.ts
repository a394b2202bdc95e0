/**
 * Sweep file -> spec: YAML (JSON is YAML), overrides, schema, rules. Everything that is wrong is said at once, each with
 * its place `file:line:column path`.
 */
import { readFile } from 'node:fs/promises';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import { messageOf, RopesweepError, whyUnreadable, type Problem } from '../domain/errors.js';
import { sweepSpecSchema, type SweepSpec } from '../domain/spec.js';
import { describeIssue } from './issueText.js';
import { applyOverride, parseOverride, type Override } from './overrides.js';
import { pathText, rememberPlaces, type Places, type SpecPath } from './places.js';
import { brokenRules } from './specRules.js';

export interface ParseOptions {
  /** Name of the sweep file, for messages. */
  readonly file: string;
  /** `--set` options as written: `contextTokens=[128,256]`. */
  readonly set?: readonly string[];
}

/** Reads and parses a sweep file. @throws RopesweepError SPEC_UNREADABLE, and all of {@link parseSpec} */
export async function readSpec(file: string, set: readonly string[] = []): Promise<SweepSpec> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new RopesweepError('SPEC_UNREADABLE', { where: file, what: whyUnreadable(cause) }, { cause });
  }
  return parseSpec(text, { file, set });
}

/** @throws RopesweepError SPEC_SYNTAX, OPTION_INVALID, SPEC_INVALID */
export function parseSpec(text: string, { file, set = [] }: ParseOptions): SweepSpec {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw new RopesweepError('SPEC_SYNTAX', document.errors.map((error) => ({ where: `${file}:${lineAndColumn(lines, error.pos[0])}`, what: error.message })));
  }
  const tree = plainTree(document, file);
  const overrides = applyOverrides(tree, set);
  const places = placesIn(document, lines, file, overrides);
  const parsed = sweepSpecSchema.safeParse(tree);
  const problems = [...(parsed.error?.issues ?? []).flatMap((issue) => describeIssue(issue, tree)), ...brokenRules(tree)];
  if (!parsed.success || problems.length > 0) {
    const inFileOrder = problems.toSorted((a, b) => offsetOf(document, a.path) - offsetOf(document, b.path));
    throw new RopesweepError('SPEC_INVALID', inFileOrder.map(({ path, what, mend }): Problem => ({ where: places(path), what, mend })));
  }
  rememberPlaces(parsed.data, places);
  return parsed.data;
}

function plainTree(document: Document, file: string): unknown {
  let tree: unknown;
  try {
    tree = document.toJS() as unknown;
  } catch (cause) {
    // Aliases that stand for nothing, or that would grow without end.
    throw new RopesweepError('SPEC_SYNTAX', { where: file, what: messageOf(cause) }, { cause });
  }
  if (typeof tree === 'object' && tree !== null && !Array.isArray(tree)) return tree;
  throw new RopesweepError('SPEC_INVALID', {
    where: file,
    what: tree === null ? 'the file is empty' : 'the file holds no mapping of keys to values',
    mend: 'Begin with name:, model:, methods:, contextTokens: and tasks: (sweeps/demo.yaml is an example).',
  });
}

function applyOverrides(tree: unknown, set: readonly string[]): Override[] {
  const overrides: Override[] = [];
  const problems: Problem[] = [];
  for (const written of set) {
    const override = parseOverride(written);
    if ('where' in override) {
      problems.push(override);
      continue;
    }
    const problem = applyOverride(tree, override);
    if (problem === null) overrides.push(override);
    else problems.push(problem);
  }
  if (problems.length > 0) throw new RopesweepError('OPTION_INVALID', problems);
  return overrides;
}

const lineAndColumn = (lines: LineCounter, offset: number): string => {
  const { line, col } = lines.linePos(offset);
  return `${line}:${col}`;
};

/** A long value is not repeated for each of its errors. */
const MOST_CHARACTERS = 60;
const shortened = (text: string): string => (text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 3)}...` : text);

/** What an override set is where the user typed it: in the option, and within its value. */
function placesIn(document: Document, lines: LineCounter, file: string, overrides: readonly Override[]): Places {
  return (path) => {
    const override = overrides.findLast(({ path: set }) => set.every((part, index) => part === path[index]));
    if (override !== undefined) return path.length > override.path.length ? `--set ${shortened(override.written)}: ${pathText(path)}` : `--set ${override.written}`;
    return `${file}:${lineAndColumn(lines, offsetOf(document, path))} ${pathText(path)}`.trim();
  };
}

/** Offset of the key (in a mapping) or entry (in a list) at a path, or of the nearest that exists around it. */
function offsetOf(document: Document, path: SpecPath): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? key.value : key) === part);
      if (pair === undefined) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node.range?.[0] : undefined;
}
