/** One side of a comparison: a sweep, or one arm of it. */
import { RopesweepError } from '../../domain/errors.js';
import type { ArmRow } from '../../domain/rows.js';
import { gather, type Gathered } from '../gathered.js';
import type { SweepSource } from '../source.js';

export interface Side {
  /** Of these arms. */
  readonly rows: Gathered;
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
export async function sideOf(source: SweepSource, arm: string | null): Promise<Side> {
  const { head } = source;
  const arms = [...head.arms].sort((a, b) => a.ordinal - b.ordinal);
  if (arm === null) return { rows: await gather(source), arms, isOneArm: false };
  const found = arms.find(({ label }) => label === arm);
  if (found !== undefined) return { rows: await gather(source, { arms: [found.id] }), arms: [found], isOneArm: true };
  throw new RopesweepError('OPTION_INVALID', {
    where: `${head.sweep}:${arm}`,
    what: `the sweep has no arm of that label; it has ${arms.length === 0 ? 'none' : arms.map(({ label }) => `"${label}"`).join(', ')}`,
    mend: `Write the label as a report shows it: '${head.sweep}:${arms[0]?.label ?? 'yarn 8'}'.`,
  });
}
