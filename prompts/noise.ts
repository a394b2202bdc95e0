/**
 * Haystack kind `noise`: sentences drawn uniformly, each next one independently of those before.
 */
import type { HaystackKind } from './haystackKind.js';
import { randomStream } from '../domain/random.js';
import { sentenceStream } from './stream.js';
import { neededTokenizer } from './tokenizer.js';

export const noise: HaystackKind<'noise'> = {
  version: 1,

  resolve: ({ sentences }) => Promise.resolve({ kind: 'noise', sentences: sentences.map((sentence) => sentence.trim()) }),

  identity: ({ kind, sentences }) => ({ kind, sentences }),

  open({ sentences }, tokenizer) {
    const encoded = sentences.map((sentence) => neededTokenizer(tokenizer, 'the haystack').encodeWithin(` ${sentence}`));
    return Promise.resolve((seed) => {
      const random = randomStream('haystack/noise', seed);
      return sentenceStream(() => encoded[random.below(encoded.length)] ?? []);
    });
  },

  idRanges: () => [],
};
