/**
 * Needle kinds `single`, `multiKey`, `multiValue`, `multiQuery`: sentences that give a value to a key. The set-up is
 * that of the retrieval tasks of RULER (Hsieh et al. 2024), the wording our own.
 *
 *     single, multiKey   one key with one value; distractors have other keys
 *     multiValue         one key with `count` values, a sentence each; the answer lists them as they are read
 *     multiQuery         `count` keys with a value each; the answer lists them in the order asked
 */
import type { NeedleSpecOf } from '../domain/promptSpec.js';
import { fillIn } from './fillIn.js';
import type { NeedleKind, NeedleProblem, TextNeedle } from './needleKind.js';
import { randomStream } from '../domain/random.js';
import { drawValues, populationOf } from './values.js';

const WORDING = 'The secret code of {key} is {value}.';

type KeyedKind = 'single' | 'multiKey' | 'multiValue' | 'multiQuery';
type KeyedSpec = NeedleSpecOf<KeyedKind>;

/** `a`, `a and b`, `a, b and c`. */
const list = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;

const keysAsked = (spec: KeyedSpec): number => (spec.kind === 'multiQuery' ? spec.count : 1);
const valuesPerKey = (spec: KeyedSpec): number => (spec.kind === 'multiValue' ? spec.count : 1);

function draw(spec: KeyedSpec, seed: number): TextNeedle {
  const random = randomStream(`needle/${spec.kind}`, seed);
  const asked = keysAsked(spec);
  const perKey = valuesPerKey(spec);
  const keys = drawValues(random, spec.keys, spec.digits, asked + spec.distractors);
  // A value is no key of the same prompt, so that it stands in its own sentence alone.
  const values = drawValues(random, spec.values, spec.digits, asked * perKey + spec.distractors + keys.length)
    .filter((value) => !keys.includes(value));
  const owner = (index: number): string => keys[index < asked * perKey ? Math.floor(index / perKey) : index - asked * (perKey - 1)] ?? '';
  const sentences = values.slice(0, asked * perKey + spec.distractors).map((value, index) => ({
    text: fillIn(spec.wording ?? WORDING, { key: owner(index), value }),
    value: index < asked * perKey ? value : null,
  }));
  const key = list(keys.slice(0, asked));
  const [codes, verb] = asked * perKey === 1 ? ['code', 'is'] : ['codes', 'are'];
  return {
    form: 'text',
    sentences,
    question: perKey === 1 ? `What ${verb} the secret ${codes} of ${key}?` : `What are all the secret codes of ${key}?`,
    answerPrefix: `The secret ${codes} of ${key} ${verb}`,
    key,
    order: spec.kind === 'multiValue' ? 'reading' : 'asked',
  };
}

function problems(spec: KeyedSpec): NeedleProblem[] {
  const needed = keysAsked(spec) * valuesPerKey(spec) + spec.distractors;
  const short = (['keys', 'values'] as const).filter((field) => populationOf(spec[field], spec.digits) < 4 * needed);
  return short.map((field) => ({
    field,
    what: `${needed} different ones are needed and there are ${populationOf(spec[field], spec.digits)}: too few to draw from`,
    mend: 'Use more digits, other keys or values, or fewer needles.',
  }));
}

const keyed = <K extends KeyedKind>(): NeedleKind<K> => ({
  version: 2,
  draw,
  idRanges: () => [],
  problems,
});

export const single = keyed<'single'>();
export const multiKey = keyed<'multiKey'>();
export const multiValue = keyed<'multiValue'>();
export const multiQuery = keyed<'multiQuery'>();
