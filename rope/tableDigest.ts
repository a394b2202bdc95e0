/**
 * The identity of a RoPE table, an ingredient of every cell key.
 *
 * Numbers enter with 12 significant digits: pow, log and exp may differ in the last bit between two builds of Node, and
 * an identity must not. At position 10^6 a relative change of 10^-12 moves a phase by 10^-6 rad, which float32 cos
 * and sin hardly show, while any change of a method's parameter that matters is far larger.
 */
import { digest } from '../domain/identity.js';
import { id, type TableDigest } from '../domain/ids.js';
import type { RopeTable } from '../domain/method.js';
import type { NamedTable } from '../domain/plan.js';

const SIGNIFICANT_DIGITS = 12;

/** The table with its digest over inverse frequencies and attention factor. */
export function nameTable(table: RopeTable): NamedTable {
  const printed = (value: number) => value.toExponential(SIGNIFICANT_DIGITS - 1);
  return {
    ...table,
    digest: id<TableDigest>(
      digest({ inverseFrequencies: table.inverseFrequencies.map(printed), attentionFactor: printed(table.attentionFactor) }),
    ),
  };
}
