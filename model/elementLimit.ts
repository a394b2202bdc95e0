/** Kernels index elements in int32 in places: a tensor of 2^31 elements or more would be read wrongly, not refused. */
import { RopesweepError } from '../domain/errors.js';

const MAXIMUM_ELEMENTS = 2 ** 31;

/** Whether every element of a tensor of this shape can be indexed. */
export const isIndexable = (shape: readonly number[]): boolean =>
  shape.reduce((product, dimension) => product * dimension, 1) < MAXIMUM_ELEMENTS;

/** @throws RopesweepError MODEL_UNSUPPORTED */
export function assertIndexable(name: string, shape: readonly number[]): void {
  if (isIndexable(shape)) return;
  throw new RopesweepError('MODEL_UNSUPPORTED', { where: name, what: `a tensor of [${shape.join(', ')}] has 2^31 elements or more` });
}
