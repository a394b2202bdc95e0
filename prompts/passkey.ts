/**
 * Needle kind `passkey`: a number without a key (the task of Mohtashami and Jaggi 2023, in our own wording).
 */
import { fillIn } from './fillIn.js';
import type { NeedleKind } from './needleKind.js';
import { randomStream } from '../domain/random.js';
import { drawValues } from './values.js';

const WORDING = 'The pass key is {value}. Remember it: {value} is the pass key.';

export const passkey: NeedleKind<'passkey'> = {
  version: 2,

  draw(spec, seed) {
    const [value = ''] = drawValues(randomStream('needle/passkey', seed), 'number', spec.digits, 1);
    return {
      form: 'text',
      sentences: [{ text: fillIn(spec.wording ?? WORDING, { value }), value }],
      question: 'What is the pass key?',
      answerPrefix: 'The pass key is',
      key: 'the pass key',
      order: 'asked',
    };
  },

  idRanges: () => [],
  problems: () => [],
};
