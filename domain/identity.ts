/**
 * Identities: one canonical text for a plain value, and its SHA-256.
 *
 * Everything that has a digest (cell keys, tables, haystacks, plans) goes through {@link digest}, so that
 * equal values have equal digests on every machine whatever the order of their fields.
 */
import { createHash } from 'node:crypto';

/** A value that JSON can carry without loss; a field that is undefined is absent, as in JSON. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain | undefined };

/**
 * JSON with object keys in code-unit order and no white space.
 *
 * @throws TypeError for a number that JSON turns into null (NaN, infinities): an identity must not lose it.
 */
export function canonicalJson(value: Plain): string {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string') ? JSON.stringify(value) : `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = value as { readonly [key: string]: Plain | undefined };
    const texts = Object.keys(fields)
      .sort()
      .flatMap((key) => (fields[key] === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(fields[key])}`]));
    return `{${texts.join(',')}}`;
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new TypeError(`an identity cannot hold the number ${value}`);
  }
  return JSON.stringify(value);
}

/** SHA-256 of the canonical JSON, as 64 lower-case hexadecimal digits. */
export function digest(value: Plain): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
