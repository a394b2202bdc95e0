/** Lists with one number for each pair of dimensions. */
import type { Problem } from '../domain/errors.js';
import type { RopeGeometry } from '../domain/method.js';

export const perPairProblems = (where: string, list: readonly number[], { rotarySize }: RopeGeometry): Problem[] =>
  list.length === rotarySize / 2
    ? []
    : [{ where, what: `it has ${list.length} numbers; ${rotarySize} rotating dimensions are ${rotarySize / 2} pairs`, mend: 'Give one number a pair, fastest pair first.' }];
