/**
 * Which folder holds the checkpoint continued with a method at a length: by the spec's pattern or list.
 */
import type { Method } from '../domain/method.js';
import type { ModelSpec } from '../domain/spec.js';
import { methodLabel } from '../rope/method.js';
import type { SpecPath } from './places.js';

export interface ContinuedFolder {
  /** As the spec writes it, placeholders filled in. */
  readonly written: string;
  /** Within the model. */
  readonly at: SpecPath;
}

const PLACEHOLDER = /\{(\w*)\}/g;
const PLACEHOLDERS = ['method', 'length', 'factor'] as const;

/** Placeholders of a pattern that mean nothing. */
export const unknownPlaceholders = (pattern: string): string[] =>
  [...pattern.matchAll(PLACEHOLDER)].flatMap(([, name = '']) => ((PLACEHOLDERS as readonly string[]).includes(name) ? [] : [name]));

/** The folder that the spec gives for the combination, or why it gives none. */
export function continuedFolder(continued: ModelSpec['continued'], method: Method, length: number): ContinuedFolder | { readonly reason: string } {
  if (continued === undefined) return { reason: 'model.continued names no continued checkpoints' };
  if (typeof continued !== 'string') {
    const label = methodLabel(method);
    const index = continued.findIndex(
      (entry) => (entry.method === label || entry.method === method.name) && entry.continualPretrainContextTokens === length,
    );
    const entry = continued[index];
    return entry === undefined
      ? { reason: `model.continued lists none for ${label} at ${length}` }
      : { written: entry.path, at: ['continued', index, 'path'] };
  }
  const factor = 'factor' in method ? method.factor : undefined;
  if (continued.includes('{factor}') && factor === undefined) return { reason: `${methodLabel(method)} has no factor for the pattern ${continued}` };
  const values: Readonly<Record<string, string>> = { method: method.name, length: String(length), factor: String(factor) };
  return {
    written: continued.replace(PLACEHOLDER, (placeholder, name: string) => values[name] ?? placeholder),
    at: ['continued'],
  };
}
