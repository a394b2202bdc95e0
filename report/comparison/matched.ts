/** Arms of two sides that belong together: two named ones; else by label, else by method and continual-pretrain length. */
import type { ArmRow } from '../../domain/rows.js';
import type { Side } from './side.js';

export interface MatchedArms {
  readonly a: ArmRow;
  readonly b: ArmRow;
}

export interface Matching {
  /** In the order of the first side. */
  readonly pairs: readonly MatchedArms[];
  /** Arms without a partner. */
  readonly onlyA: readonly ArmRow[];
  readonly onlyB: readonly ArmRow[];
}

const RULES: readonly ((arm: ArmRow) => string)[] = [({ label }) => label, ({ methodLabel, continualPretrainContextTokens }) => JSON.stringify([methodLabel, continualPretrainContextTokens])];

export function matchedArms(a: Side, b: Side): Matching {
  const [one, other] = [a.arms[0], b.arms[0]];
  if (a.isOneArm && b.isOneArm && one !== undefined && other !== undefined) return { pairs: [{ a: one, b: other }], onlyA: [], onlyB: [] };
  const partner = new Map<ArmRow, ArmRow>();
  const free = new Set(b.arms);
  for (const rule of RULES) {
    for (const arm of a.arms) {
      if (partner.has(arm)) continue;
      const found = [...free].find((candidate) => rule(candidate) === rule(arm));
      if (found === undefined) continue;
      partner.set(arm, found);
      free.delete(found);
    }
  }
  return {
    pairs: a.arms.flatMap((arm) => {
      const found = partner.get(arm);
      return found === undefined ? [] : [{ a: arm, b: found }];
    }),
    onlyA: a.isOneArm || !b.isOneArm ? a.arms.filter((arm) => !partner.has(arm)) : [],
    onlyB: b.isOneArm || !a.isOneArm ? [...free] : [],
  };
}
