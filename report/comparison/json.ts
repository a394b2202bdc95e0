/** `ropesweep compare --json`. */
import type { ArmRow, SweepHead } from '../../domain/rows.js';
import type { Comparison } from './comparison.js';

const named = ({ label, id, weightsId, methodLabel, continualPretrainContextTokens }: ArmRow) => ({ arm: label, armId: id, weightsId, method: methodLabel, continualPretrainContextTokens });
const side = ({ sweep, revision, state, planDigest }: SweepHead) => ({ sweep, revision, state, planDigest });

export const comparisonJson = ({ a, b, arms, onlyA, onlyB, spec, fingerprints }: Comparison) => ({
  a: side(a),
  b: side(b),
  /** Differences are b - a. */
  arms: arms.map((pair) => ({ ...pair, a: named(pair.a), b: named(pair.b) })),
  onlyA: onlyA.map(named),
  onlyB: onlyB.map(named),
  differing: { spec, fingerprints },
});
