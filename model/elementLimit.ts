/** Kernels index elements in int32 in places: a tensor of 2^31 elements or more would be read wrongly, not refused. */
const MAXIMUM_ELEMENTS = 2 ** 31;

/** Whether every element of a tensor of this shape can be indexed. */
export const isIndexable = (shape: readonly number[]): boolean =>
  shape.reduce((product, dimension) => product * dimension, 1) < MAXIMUM_ELEMENTS;
