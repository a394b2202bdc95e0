/** One side of a comparison: a sweep, or one arm of it. */
import { RopesweepError } from '../../domain/errors.js';
import type { ArmRow, SweepRows } from '../../domain/rows.js';

export interface Side {
  readonly rows: SweepRows;
  /** In the order of the spec. */
  readonly arms: readonly ArmRow[];
  /** Whether the arm was named. */
  readonly isOneArm: boolean;
}

/** `SWEEP`, or `SWEEP:ARM` with the label of an arm; a name of a sweep holds no colon. */
export function sideName(text: string): { readonly sweep: string; readonly arm: string | null } {
  const colon = text.indexOf(':');
  return colon === -1 ? { sweep: text, arm: null } : { sweep: text.slice(0, colon), arm: text.slice(colon + 1).trim() };
}

/** @throws RopesweepError OPTION_INVALID where the sweep has no such arm */
export function sideOf(rows: SweepRows, arm: string | null): Side {
  const arms = [...rows.arms].sort((a, b) => a.ordinal - b.ordinal);
  if (arm === null) return { rows, arms, isOneArm: false };
  const found = arms.filter(({ label }) => label === arm);
  if (found.length > 0) return { rows, arms: found.slice(0, 1), isOneArm: true };
  throw new RopesweepError('OPTION_INVALID', {
    where: `${rows.sweep}:${arm}`,
    what: `the sweep has no arm of that label; it has ${arms.length === 0 ? 'none' : arms.map(({ label }) => `"${label}"`).join(', ')}`,
    mend: `Write the label as a report shows it: '${rows.sweep}:${arms[0]?.label ?? 'yarn 8'}'.`,
  });
}
