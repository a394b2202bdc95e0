/** Where two sweep files differ, defaults filled in. */

export interface SpecDifference {
  /** `tasks[0].depths` */
  readonly path: string;
  /** As JSON; null where the side does not have it. */
  readonly a: string | null;
  readonly b: string | null;
}

/** What names a sweep and determines no number. */
const NAMES = ['name', 'description'];

export function specDifferences(a: unknown, b: unknown): SpecDifference[] {
  return differences(a, b, '').filter(({ path }) => !NAMES.includes(path));
}

function differences(a: unknown, b: unknown, path: string): SpecDifference[] {
  const [left, right] = [json(a), json(b)];
  if (left === right) return [];
  if (isObject(a) && isObject(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort().flatMap((key) => differences(a[key], b[key], path === '' ? key : `${path}.${key}`));
  }
  // Lists of plain values are compared whole: which contexts, not the third of them.
  if (Array.isArray(a) && Array.isArray(b) && [...(a as unknown[]), ...(b as unknown[])].every(isObject)) {
    return Array.from({ length: Math.max(a.length, b.length) }, (_, at) => differences((a as unknown[])[at], (b as unknown[])[at], `${path}[${at}]`)).flat();
  }
  return [{ path, a: left, b: right }];
}

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
