/**
 * The base under which the slowest pair is interpolated by a scale and the fastest not at all.
 *
 *   b' = b scale^(d/(d-2))
 *
 * bloc97 2023, "NTK-Aware Scaled RoPE"; Peng et al. 2023, "YaRN", section 3.1, definition 1.
 */
import { RopesweepError } from '../domain/errors.js';
import type { RopeGeometry } from '../domain/method.js';

/** @throws RopesweepError METHOD_INVALID where a single pair rotates: it is the slowest and the fastest */
export function ntkBase(name: string, { rotarySize, base }: RopeGeometry, scale: number): number {
  if (rotarySize <= 2) {
    throw new RopesweepError('METHOD_INVALID', {
      where: name,
      what: `the new base is base * scale^(d/(d-2)), which needs a rotary size above 2, not ${rotarySize}`,
    });
  }
  return base * scale ** (rotarySize / (rotarySize - 2));
}
