import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { afterAll, describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { digest } from '../../domain/identity.js';
import { needleSchema } from '../../domain/promptSpec.js';
import type { Prompt } from '../../prompts/build.js';
import { needleTaskProblems } from '../../prompts/checks.js';
import { openHaystack, resolveHaystack } from '../../prompts/haystack.js';
import { minimumContextTokens } from '../../prompts/layout.js';
import { drawNeedle } from '../../prompts/needle.js';
import type { TextNeedle } from '../../prompts/needleKind.js';
import { sentencesOf } from '../../prompts/sentences.js';
import { layoutSource, promptSource } from '../../prompts/source.js';
import { stringRecall } from '../../domain/scoring.js';
import { Tokenizer } from '../../prompts/tokenizer.js';
import { goldenFiles, TOKENIZERS } from './goldenTokenizer.js';
import { textSpec, textTask } from './textTask.js';

const SEEDS = Array.from({ length: 12 }, (_, seed) => seed);
const DEPTHS = [0, 0.3, 0.5, 1];
const NEEDLES = [
  { kind: 'passkey' },
  { kind: 'single', values: 'word' },
  { kind: 'multiKey' },
  { kind: 'multiValue', count: 3, distractors: 2 },
  { kind: 'multiQuery', count: 3, values: 'uuid', keys: 'number' },
] as const;

const folder = await mkdtemp(path.join(tmpdir(), 'ropesweep-text-'));
afterAll(() => rm(folder, { recursive: true }));
const STORY = 'It rained all night. "Who is there?" asked the miller.\n\nNobody answered <s> or <|im_start|> him... The mill, at 3.5 miles, stood still!\n\nA list\n\nof things — and 水車が回る。夜が明けた。 The end';
const story = path.join(folder, 'story.txt');
await writeFile(story, STORY);

const open = async (name: (typeof TOKENIZERS)[number]): Promise<Tokenizer> => new Tokenizer(await goldenFiles(name));
const textOf = (needle: ReturnType<typeof drawNeedle>): TextNeedle => {
  if (needle.form !== 'text') throw new Error('text was expected');
  return needle;
};

describe.each(TOKENIZERS)('prompts of text with %s', (name) => {
  it('hide each needle once where they say, and nothing else of it', async () => {
    const tokenizer = await open(name);
    for (const needle of NEEDLES) {
      for (const snap of ['token', 'sentence'] as const) {
        const task = await textTask({ needle, snap });
        const promptOf = await promptSource(task, tokenizer);
        for (const seed of SEEDS) {
          const drawn = textOf(drawNeedle(task.needle, seed));
          const asked = drawn.sentences.filter(({ value }) => value !== null);
          for (const depth of DEPTHS) {
            const { tokens, needleSpans, answers, answerIds, answerRows } = promptOf(1400, { depth, seed });
            const decoded = (start: number, end: number): string => tokenizer.decode([...tokens.subarray(start, end)], { skipSpecial: false });
            expect(tokens).toHaveLength(1400);
            expect(needleSpans.map(([start, end]) => decoded(start, end).trim())).toEqual(asked.map(({ text }) => text));
            expect([...(answers ?? [])].sort()).toEqual(asked.map(({ value }) => value).sort());
            // The answer follows the prompt: what is fed of it are its tokens but the last.
            expect([...tokens.subarray(answerRows[0] + 1)]).toEqual(answerIds.slice(0, -1));
            expect(tokenizer.decode([...answerIds], { skipSpecial: false }).trim()).toBe((answers ?? []).join(', '));
            // A space of its own is asked with: the first token asked for is part of the value.
            expect(tokenizer.decode([answerIds[0] ?? -1], { skipSpecial: false }).trim()).not.toBe('');
            const haystackAndNeedles = decoded(0, answerRows[0]);
            const twice = needle.kind === 'passkey' ? 2 : 1;
            for (const { value } of drawn.sentences) if (value !== null) expect(haystackAndNeedles.split(value)).toHaveLength(twice + 1);
          }
        }
      }
    }
  }, 60_000);

  it('share one haystack across lengths, depths and needles, and have no special token but BOS in front', async () => {
    const tokenizer = await open(name);
    const task = await textTask({ haystack: { kind: 'text', path: story }, needle: { kind: 'single' }, template: { kind: 'base', intro: '' } });
    const promptOf = await promptSource(task, tokenizer);
    const layoutOf = await layoutSource(task, tokenizer);
    for (const seed of SEEDS) {
      const filler = (contextTokens: number, depth: number): number[] => {
        const { tokens, needleSpans } = promptOf(contextTokens, { depth, seed });
        const { headTokens, fillerTokens } = layoutOf(contextTokens, { depth, seed });
        const [[start, end] = [0, 0]] = needleSpans;
        expect([...tokens].filter((id) => tokenizer.specialIds.has(id))).toEqual(tokenizer.bosIds);
        expect([...tokens.subarray(0, headTokens)]).toEqual(tokenizer.bosIds);
        return [...tokens.subarray(headTokens, start), ...tokens.subarray(end)].slice(0, fillerTokens);
      };
      const longest = filler(3000, 0.9);
      for (const contextTokens of [600, 601, 1200]) for (const depth of DEPTHS) expect(filler(contextTokens, depth)).toEqual(longest.slice(0, filler(contextTokens, depth).length));
    }
  });

  it('are laid out without being built, exactly', async () => {
    const tokenizer = await open(name);
    for (const snap of ['token', 'sentence'] as const) {
      const task = await textTask({ needle: { kind: 'multiKey', distractors: 9 }, snap });
      const [promptOf, layoutOf] = [await promptSource(task, tokenizer), await layoutSource(task, tokenizer)];
      for (const seed of SEEDS) {
        const minimum = minimumContextTokens(task, [seed], tokenizer);
        for (const contextTokens of snap === 'token' ? [minimum, minimum + 1, 3000] : [3000]) {
          for (const depth of DEPTHS) {
            const layout = layoutOf(contextTokens, { depth, seed });
            const { tokens, needleSpans } = promptOf(contextTokens, { depth, seed });
            const sum = layout.headTokens + layout.fillerTokens + layout.needles.reduce((all, one) => all + one.tokens, 0) + layout.questionTokens + layout.answerTokens - 1;
            expect(sum).toBe(contextTokens);
            expect(tokens).toHaveLength(contextTokens);
            expect(new Set(layout.needles.map(({ before }) => before)).size).toBe(10);
            const first = layout.needles.findIndex(({ index }) => index === 0);
            const before = layout.needles.slice(0, first).reduce((all, one) => all + one.tokens, 0);
            expect(needleSpans[0]?.[0]).toBe(layout.headTokens + before + (layout.needles[first]?.before ?? -1));
            if (snap === 'token') expect(layout.needles[first]?.before).toBe(Math.round(depth * layout.fillerTokens));
          }
        }
        expect(() => promptOf(minimum - 1, { depth: 0.5, seed })).toThrow(RopesweepError);
      }
    }
  });
});

/** The other two have tokens that reach over a boundary: Llama 3's `.\n`, and an added word that swallows no space. */
describe.each(['bytelevel-qwen2', 'bytelevel-smollm', 'metaspace-llama2', 'metaspace-mistral'] as const)('prompts whose needles stand between sentences, with %s,', (name) => {
  it('are what the tokenizer makes of the whole text', async () => {
    const tokenizer = await open(name);
    for (const needle of [NEEDLES[0], NEEDLES[2], NEEDLES[4]]) {
      const promptOf = await promptSource(await textTask({ needle, snap: 'sentence' }), tokenizer);
      for (const seed of SEEDS) {
        const { tokens, answerRows } = promptOf(1400, { depth: 0.5, seed });
        const prompt = [...tokens.subarray(0, answerRows[0] + 1)];
        expect(tokenizer.encode(tokenizer.decode(prompt, { skipSpecial: true }), { addSpecial: true })).toEqual(prompt);
      }
    }
  });
});

describe('a needle', () => {
  const draw = (needle: (typeof NEEDLES)[number], seed: number): TextNeedle => textOf(drawNeedle(needleSchema.parse(needle), seed));

  it('has values of stable length, distinct, with as many sentences as asked for', () => {
    for (const seed of SEEDS) {
      expect(draw({ kind: 'passkey' }, seed).sentences[0]?.value).toMatch(/^[1-9]\d{4}$/);
      const { sentences } = draw(NEEDLES[3], seed);
      expect(sentences.map(({ value }) => value === null)).toEqual([false, false, false, true, true]);
      expect(new Set(sentences.map(({ text }) => text)).size).toBe(5);
      const uuids = draw(NEEDLES[4], seed).sentences.map(({ value }) => value ?? '');
      for (const uuid of uuids) expect(uuid).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    }
  });

  it('asks for one key among others, for all values of one, for several keys', () => {
    const [multiKey, multiValue, multiQuery] = [draw(NEEDLES[2], 1), draw(NEEDLES[3], 1), draw(NEEDLES[4], 1)];
    const keyOf = (text: string): string => /of (\S+) is/.exec(text)?.[1] ?? '';
    expect(multiKey.question).toBe(`What is the secret code of ${keyOf(multiKey.sentences[0]?.text ?? '')}?`);
    expect(new Set(multiKey.sentences.map(({ text }) => keyOf(text))).size).toBe(4);
    expect(new Set(multiValue.sentences.slice(0, 3).map(({ text }) => keyOf(text))).size).toBe(1);
    const [first, second, third] = multiQuery.sentences.map(({ text }) => keyOf(text));
    expect(multiQuery.answerPrefix).toBe(`The secret codes of ${String(first)}, ${String(second)} and ${String(third)} are`);
  });

  it('is the same in every run and on every machine', () => {
    expect(digest(NEEDLES.flatMap((needle) => SEEDS.map((seed) => ({ ...draw(needle, seed), sentences: draw(needle, seed).sentences.map((one) => ({ ...one })) }))))).toBe('b68423a2599f0640794895a30346dadf30224aceca5075dd50f7dcb52e704336');
  });

  it('of several values is answered as the values are read, of several keys as they are asked', async () => {
    const tokenizer = await open('bytelevel-smollm');
    const reading = await promptSource(await textTask({ needle: NEEDLES[3] }), tokenizer);
    const asked = await promptSource(await textTask({ needle: NEEDLES[4] }), tokenizer);
    const decoded = ({ tokens, answerRows }: Prompt): string => tokenizer.decode([...tokens.subarray(0, answerRows[0])], { skipSpecial: false });
    for (const seed of SEEDS) {
      for (const depth of DEPTHS) {
        const several = reading(2000, { depth, seed });
        const places = (several.answers ?? []).map((value) => decoded(several).indexOf(value));
        expect(places).toEqual([...places].sort((a, b) => a - b));
        expect(asked(2000, { depth, seed }).answers).toEqual(draw(NEEDLES[4], seed).sentences.flatMap(({ value }) => value ?? []));
      }
    }
  });
});

describe('sentence-snapped needles', () => {
  it('stand behind a sentence end, the nearest to where they are wanted', async () => {
    const tokenizer = await open('metaspace-llama2');
    const task = await textTask({ needle: { kind: 'passkey' }, snap: 'sentence' });
    const [snapped, token] = [await layoutSource(task, tokenizer), await layoutSource({ ...task, snap: 'token' }, tokenizer)];
    const stream = await openHaystack(task.haystack, tokenizer);
    for (const seed of SEEDS) {
      for (const depth of DEPTHS) {
        const layout = snapped(800, { depth, seed });
        const [place, wanted] = [layout.needles[0]?.before ?? -1, token(800, { depth, seed }).needles[0]?.before ?? -1];
        const ends = stream(seed).sentenceEnds?.(layout.fillerTokens) ?? [];
        expect(ends).toContain(place);
        expect(Math.abs(place - wanted)).toBe(Math.min(...ends.map((end) => Math.abs(end - wanted))));
      }
    }
  });
});

describe('the text haystack', () => {
  it('is the text from a sentence on, round and round, with special tokens as plain text', async () => {
    for (const name of TOKENIZERS) {
      const tokenizer = await open(name);
      const haystack = await resolveHaystack({ kind: 'text', path: story }, (written) => Promise.resolve(written));
      const stream = (await openHaystack(haystack, tokenizer))(3);
      const read = tokenizer.decode([...stream.prefix(2000)], { skipSpecial: false });
      expect(`${STORY}\n\n`.repeat(30)).toContain(read.trim().slice(0, -8));
      expect([...stream.prefix(2000)].filter((id) => tokenizer.specialIds.has(id))).toEqual([]);
    }
  });

  it('joins the .txt files of a folder in order, and is known by their contents alone', async () => {
    const books = path.join(folder, 'books');
    await mkdir(books);
    await writeFile(path.join(books, 'b.txt'), '\uFEFFSecond.\r\nThird.');
    await writeFile(path.join(books, 'a.txt'), 'First.');
    await writeFile(path.join(books, 'notes.md'), 'Not this.');
    const task = await textTask({ haystack: { kind: 'text', path: books } });
    const tokenizer = await open('bytelevel-smollm');
    const stream = (await openHaystack(task.haystack, tokenizer))(1);
    expect(tokenizer.decode([...stream.prefix(60)], { skipSpecial: false })).toContain('First. Second.\nThird.'.replace('First. ', 'First.\n\n'));
    const moved = path.join(folder, 'moved');
    await mkdir(moved);
    await writeFile(path.join(moved, '1.txt'), 'First.');
    await writeFile(path.join(moved, '2.txt'), '\uFEFFSecond.\r\nThird.');
    expect((await textTask({ haystack: { kind: 'text', path: moved } })).haystackDigest).toBe(task.haystackDigest);
    await writeFile(path.join(moved, '2.txt'), 'Another.');
    const changed = await textTask({ haystack: { kind: 'text', path: moved } });
    expect(changed.haystackDigest).not.toBe(task.haystackDigest);
    await writeFile(path.join(moved, '1.txt'), 'Changed since.');
    await expect(openHaystack(changed.haystack, tokenizer)).rejects.toMatchObject({ code: 'DOCUMENT_MISMATCH' });
  });

  it('refuses what holds no text, naming it', async () => {
    const empty = path.join(folder, 'empty.txt');
    await writeFile(empty, ' \n');
    for (const wrong of [empty, path.join(folder, 'absent.txt')]) {
      await expect(textTask({ haystack: { kind: 'text', path: wrong } })).rejects.toMatchObject({ code: 'SPEC_INVALID' });
    }
  });

  it('is cut into sentences that together are the text', () => {
    for (const text of [STORY, 'x'.repeat(5000), 'word '.repeat(2000).trim(), '\ud83d\ude00'.repeat(3000), 'no end', '...', '1. 2. 3.']) {
      const sentences = sentencesOf(text);
      expect(sentences.join('')).toBe(text);
      expect(Math.max(...sentences.map(({ length }) => length))).toBeLessThanOrEqual(2000);
    }
    expect(sentencesOf(STORY).map((sentence) => sentence.trim()).slice(0, 4)).toEqual(['It rained all night.', '"Who is there?"', 'asked the miller.', 'Nobody answered <s> or <|im_start|> him...']);
  });

  it('of 131,072 tokens is laid out', async () => {
    const tokenizer = await open('bytelevel-smollm');
    const large = path.join(folder, 'large.txt');
    await writeFile(large, Array.from({ length: 4000 }, (_, line) => `On day ${line} the ship went ${line * 7} miles, and the crew saw ${line % 13} gulls.`).join(' '));
    for (const haystack of [{ kind: 'noise' }, { kind: 'text', path: large }] as const) {
      const promptOf = await promptSource(await textTask({ haystack, needle: { kind: 'multiKey' } }), tokenizer);
      const start = performance.now();
      expect(promptOf(131_072, { depth: 0.5, seed: 1 }).tokens).toHaveLength(131_072);
      console.log(`131,072 tokens of ${haystack.kind}: ${((performance.now() - start) / 1000).toFixed(3)} s`);
    }
  });
});

describe('a needle task', () => {
  it('is refused where its parts do not go together, each place named', () => {
    const paths = (parts: Parameters<typeof textSpec>[0], more = {}): string[] => needleTaskProblems({ ...textSpec(parts), ...more }).map((problem) => problem.path.join('.'));
    expect(paths({})).toEqual([]);
    expect(paths({ template: { headIds: [0] } })).toEqual(['template']);
    expect(paths({ needle: { kind: 'symbols' } })).toEqual(['template', 'haystack']);
    expect(paths({ haystack: { kind: 'markov', file: 'filler.json' }, snap: 'sentence' })).toEqual(['haystack', 'snap']);
    expect(paths({}, { criterion: 'stringRecall' })).toEqual(['criterion']);
    expect(paths({}, { criterion: 'stringRecall', generateTokens: 20 })).toEqual([]);
    expect(paths({ needle: { kind: 'multiValue', values: 'number', digits: 1, count: 8 } })).toEqual(['needle.values']);
    expect(paths({ needle: { kind: 'single', wording: '{key} owns {value}.' } })).toEqual(['needle.wording']);
    expect(paths({ needle: { kind: 'single', wording: '{key} owns {value}.' }, template: { kind: 'base', question: 'What does {key} own?', answerPrefix: '{key} owns' } })).toEqual([]);
  });

  it('of text is refused without a tokenizer, and planned at a token to four bytes', async () => {
    const task = await textTask({});
    await expect(promptSource(task, null)).rejects.toMatchObject({ code: 'SPEC_INVALID' });
    expect((await layoutSource(task, null))(1000, { depth: 0.5, seed: 1 }).contextTokens).toBe(1000);
  });
});

describe('string recall', () => {
  it('is the share of answers in the text, whatever the case', () => {
    expect(stringRecall('The codes are 12 and QUIET-Owl.', ['12', 'quiet-owl', 'red-fox', '7'])).toBe(0.5);
    expect(stringRecall('', ['a'])).toBe(0);
  });
});
