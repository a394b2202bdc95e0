/**
 * `--set key=value`: changes of a sweep file from the command line, applied before it is checked.
 * Keys are paths (`tasks[0].depths` or `tasks.0.depths`), values are YAML (`[128, 256]`, `null`, `{name: pi, factor: 8}`).
 */
import { parseDocument } from 'yaml';
import type { Problem } from '../domain/errors.js';
import { pathText, type SpecPath } from './places.js';

export interface Override {
  /** As the user wrote it. */
  readonly written: string;
  readonly path: SpecPath;
  readonly value: unknown;
}

const KEY = /^[A-Za-z_]\w*(?:\.\w+|\[\d+\])*$/;

export function parseOverride(written: string): Override | Problem {
  const where = `--set ${written}`;
  const equals = written.indexOf('=');
  const key = equals < 0 ? written : written.slice(0, equals).trim();
  if (equals < 0) return { where, what: 'there is no =', mend: 'Write --set key=value, for instance --set contextTokens=[128,256].' };
  if (!KEY.test(key)) {
    return { where, what: `"${key}" is not a path in the sweep file`, mend: 'Write names and indices: name, tasks[0].depths, methods.1.factor.' };
  }
  const document = parseDocument(written.slice(equals + 1));
  const [error] = document.errors;
  if (error !== undefined) return { where, what: `the value is not YAML: ${firstLine(error.message)}`, mend: 'Quote the whole option if the shell takes its brackets.' };
  const path = (key.match(/\w+/g) ?? []).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return { written, path, value: document.toJS() as unknown };
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? text;

/** Puts the value at its path in a plain tree, changing the tree; says what stands in the way. */
export function applyOverride(tree: unknown, { written, path, value }: Override): Problem | null {
  let here = tree;
  for (const [depth, part] of path.entries()) {
    const last = depth === path.length - 1;
    const problem = (what: string, mend: string): Problem => ({ where: `--set ${written}`, what, mend });
    const parent = pathText(path.slice(0, depth)) || 'the sweep file';
    if (Array.isArray(here)) {
      if (typeof part !== 'number') return problem(`${parent} is a list`, `Write an index: ${parent}[0].`);
      if (part > here.length) return problem(`${parent} has ${here.length} entries, so there is no number ${part}`, `Use 0 to ${here.length} (the last adds an entry).`);
    } else if (typeof here !== 'object' || here === null) {
      return problem(`${parent} is ${here === null ? 'null' : JSON.stringify(here)}, which holds nothing inside`, 'Set the whole of it.');
    }
    if (typeof part === 'string' && part in Object.prototype) return problem(`${part} is no key of a sweep file`, 'See docs/schema/sweep.schema.json for the keys.');
    const node = here as Record<string | number, unknown>;
    if (last) node[part] = value;
    else here = node[part] ??= typeof path[depth + 1] === 'number' ? [] : {};
  }
  return null;
}
