/** What is said where a method takes the place of the one that a checkpoint's own settings name. */
import { digest } from '../domain/identity.js';
import type { Method, RopeGeometry } from '../domain/method.js';
import { methodLabel, resolveMethod } from './method.js';

export interface MethodAt {
  readonly method: Method;
  readonly geometry: RopeGeometry;
}

/**
 * `the checkpoint's own yarn 4 is replaced by pi 8`; undefined where the checkpoint names no method, or the chosen one.
 * @throws RopesweepError METHOD_INVALID
 */
export function replacedNotice(own: MethodAt, chosen: MethodAt): string | undefined {
  if (own.method.name === 'none') return undefined;
  const [before, after] = [own, chosen].map(({ method, geometry }) => ({ method: resolveMethod(method, geometry), geometry: { ...geometry } }));
  if (before === undefined || after === undefined || digest(before) === digest(after)) return undefined;
  const differing = [
    ...(own.geometry.base === chosen.geometry.base ? [] : [`base ${chosen.geometry.base} in place of ${own.geometry.base}`]),
    ...(own.geometry.originalContextTokens === chosen.geometry.originalContextTokens
      ? []
      : [`trained context ${chosen.geometry.originalContextTokens} in place of ${own.geometry.originalContextTokens}`]),
  ];
  const name = after.method.name === 'none' ? 'plain RoPE' : methodLabel(after.method);
  return `the checkpoint's own ${methodLabel(before.method)} is replaced by ${[name, ...differing].join(', ')}`;
}
