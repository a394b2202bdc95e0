/**
 * How far a method stretches the context: a factor, or a target context that stands for one.
 *
 *   s = targetContextTokens / originalContextTokens
 *
 * Implementations elsewhere let one of the two win silently, which evaluates another method than the one named;
 * here they agree or are refused.
 */
import { RopesweepError } from '../domain/errors.js';
import type { RopeGeometry } from '../domain/method.js';

/** Room for the rounding of a division, not for a factor that was rounded by hand. */
const RELATIVE_TOLERANCE = 1e-9;

export interface Extent {
  readonly factor?: number | undefined;
  readonly targetContextTokens?: number | undefined;
}

/** @throws RopesweepError METHOD_INVALID if neither is given, if they disagree, or if the context would shrink */
export function resolveFactor(name: string, extent: Extent, geometry: RopeGeometry): number {
  const { factor, targetContextTokens } = extent;
  const { originalContextTokens } = geometry;
  if (targetContextTokens === undefined) {
    if (factor !== undefined) return factor;
    throw new RopesweepError('METHOD_INVALID', {
      where: name,
      what: 'neither factor nor targetContextTokens is given',
      mend: `Give a factor (8), or the context it aims at (${8 * originalContextTokens} tokens).`,
    });
  }
  const implied = targetContextTokens / originalContextTokens;
  if (implied < 1) {
    throw new RopesweepError('METHOD_INVALID', {
      where: `${name}.targetContextTokens`,
      what: `${targetContextTokens} tokens is shorter than the trained context of ${originalContextTokens}`,
      mend: 'Name a target at least as long as the trained context.',
    });
  }
  if (factor !== undefined && Math.abs(factor - implied) > RELATIVE_TOLERANCE * implied) {
    throw new RopesweepError('METHOD_INVALID', {
      where: name,
      what: `factor ${factor} and targetContextTokens ${targetContextTokens} disagree: ${targetContextTokens} / ${originalContextTokens} (trained context) is ${implied}`,
      mend: 'Give one of the two.',
    });
  }
  return factor ?? implied;
}

/** `8`, `2.667`: a factor as a label prints it; an unresolved method is named by its target. */
export const extentLabel = ({ factor, targetContextTokens }: Extent): string =>
  factor === undefined ? `to ${targetContextTokens ?? '?'}` : String(Number(factor.toPrecision(6)));
