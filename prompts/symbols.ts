/**
 * Needle kind `symbols`: needle [mark key v1 .. vn], question [mark key], answer [v1 .. vn].
 * Key and values are drawn without replacement from their id ranges.
 */
import type { NeedleKind } from './needleKind.js';
import { drawWithoutReplacement, randomStream } from '../domain/random.js';

export const symbols: NeedleKind<'symbols'> = {
  version: 1,

  draw(spec, seed) {
    const random = randomStream('needle/symbols', seed);
    const key = spec.keys.first + random.below(spec.keys.count);
    const answerIds = drawWithoutReplacement(random, spec.answerTokens, spec.values.count).map((value) => spec.values.first + value);
    return { form: 'ids', needleIds: [spec.needleMarkId, key, ...answerIds], questionIds: [spec.questionMarkId, key], answerIds };
  },

  idRanges: (spec) => [
    { name: 'needle mark', first: spec.needleMarkId, count: 1 },
    { name: 'question mark', first: spec.questionMarkId, count: 1 },
    { name: 'keys', ...spec.keys },
    { name: 'values', ...spec.values },
  ],

  problems: (spec) =>
    spec.answerTokens > spec.values.count
      ? [{ field: 'answerTokens', what: `${spec.answerTokens} answer tokens cannot be drawn without replacement from ${spec.values.count} values`, mend: 'Use fewer answer tokens or more values.' }]
      : [],
};
