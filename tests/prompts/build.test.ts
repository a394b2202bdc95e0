import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { RopesweepError } from '../../domain/errors.js';
import { digest } from '../../domain/identity.js';
import { buildPrompt, type Prompt, type Span } from '../../prompts/build.js';
import { layOut, minimumContextTokens, tokensBeforeNeedle } from '../../prompts/layout.js';
import { drawNeedle } from '../../prompts/needle.js';
import type { PromptPieces } from '../../prompts/pieces.js';
import { layoutSource, promptSource } from '../../prompts/source.js';
import { starterTask, type StarterTask } from './starterTask.js';

const LENGTHS = [13, 14, 64, 128, 257, 1024];
const DEPTHS = [0, 0.1, 0.25, 0.5, 0.9, 1];
const SEEDS = [0, 1, 2, 4_294_967_297];

let task: StarterTask;
let prompt: (contextTokens: number, depth: number, seed: number) => Prompt;
beforeAll(async () => {
  task = await starterTask();
  const source = await promptSource(task, null);
  prompt = (contextTokens, depth, seed) => source(contextTokens, { depth, seed });
});

function everyPrompt(check: (built: Prompt, at: { contextTokens: number; depth: number; seed: number }) => void): void {
  for (const contextTokens of LENGTHS) for (const depth of DEPTHS) for (const seed of SEEDS) check(prompt(contextTokens, depth, seed), { contextTokens, depth, seed });
}

function spanOf({ needleSpans }: Prompt): Span {
  const [span] = needleSpans;
  if (span === undefined || needleSpans.length !== 1) throw new Error('one needle was expected');
  return span;
}

const fillerOf = (built: Prompt): number[] => [...built.tokens.subarray(1, spanOf(built)[0]), ...built.tokens.subarray(spanOf(built)[1], -5)];

describe('a prompt', () => {
  it('has exactly contextTokens tokens: head, filler, needle, question, answer but its last token', () => {
    everyPrompt((built, { contextTokens, seed }) => {
      const drawn = drawNeedle(task.needle, seed);
      if (drawn.form !== 'ids') throw new Error('symbols are ids');
      const { needleIds, questionIds, answerIds } = drawn;
      expect(built.tokens).toHaveLength(contextTokens);
      expect(built.tokens[0]).toBe(0);
      expect([...built.tokens.subarray(...spanOf(built))]).toEqual(needleIds);
      expect([...built.tokens.subarray(-5)]).toEqual([...questionIds, ...answerIds.slice(0, 3)]);
      expect(built.answerIds).toEqual(answerIds);
    });
  });

  it('asks for the answer at its last rows: the key, then each answer token but the last', () => {
    everyPrompt((built, { contextTokens }) => {
      const [, key, ...answer] = built.tokens.subarray(...spanOf(built));
      expect(built.answerRows).toEqual([contextTokens - 4, contextTokens]);
      expect([...built.tokens.subarray(...built.answerRows)]).toEqual([key, ...answer.slice(0, 3)]);
    });
  });

  it('puts the needle after round(depth x filler) haystack tokens', () => {
    everyPrompt((built, { contextTokens, depth }) => {
      expect(spanOf(built)[0]).toBe(1 + Math.floor(depth * (contextTokens - 12) + 0.5));
    });
    expect(spanOf(prompt(128, 0, 1))).toEqual([1, 7]);
    expect(spanOf(prompt(128, 1, 1))).toEqual([117, 123]);
  });

  it('rounds halves up', () => {
    expect([0.5, 1.5, 2.5, 3.5].map((k) => tokensBeforeNeedle(0.5, 2 * k))).toEqual([1, 2, 3, 4]);
    expect(tokensBeforeNeedle(1, 0.49999999999999994)).toBe(0);
  });

  it('holds the symbols of needle and question nowhere else', () => {
    everyPrompt((built) => {
      for (const id of fillerOf(built)) expect(id >= 4 && id < 96).toBe(true);
      const [, key] = built.tokens.subarray(...spanOf(built));
      expect(built.tokens.filter((id) => id === key)).toHaveLength(2);
      expect(new Set(built.answerIds).size).toBe(4);
    });
  });

  it('takes a prefix of one stream per seed, whatever length and depth', () => {
    for (const seed of SEEDS) {
      const longest = fillerOf(prompt(1024, 0.3, seed));
      everyPrompt((built, at) => {
        if (at.seed === seed) expect(fillerOf(built)).toEqual(longest.slice(0, at.contextTokens - 12));
      });
    }
  });

  it('does not depend on what was asked before', async () => {
    const fresh = await promptSource(task, null);
    const longFirst = await promptSource(task, null);
    longFirst(4096, { depth: 0.5, seed: 1 });
    expect(longFirst(128, { depth: 0.25, seed: 1 })).toEqual(fresh(128, { depth: 0.25, seed: 1 }));
  });

  it('is another for another seed', () => {
    const texts = SEEDS.map((seed) => [...prompt(128, 0.5, seed).tokens].join());
    expect(new Set(texts).size).toBe(SEEDS.length);
  });

  it('is the same in every run and on every machine', () => {
    const prompts = LENGTHS.flatMap((contextTokens) => DEPTHS.flatMap((depth) => SEEDS.map((seed) => [...prompt(contextTokens, depth, seed).tokens])));
    expect(digest(prompts)).toBe('a6d83eb1d7019474987d7746352b6bb94e2aff61b1bdc472f90491fbfe9d2a1b');
  });

  it('lies as the golden prompts of the starter models do, depths 10 and 60 %', async () => {
    const golden = JSON.parse(await readFile('tests/golden/starter-prompts.json', 'utf8')) as {
      inputTokens: number; needleStart: number; needleTokens: number; tokens: number[]; answer: number[];
    }[];
    for (const { inputTokens, needleStart, needleTokens, tokens, answer } of golden) {
      const filler = Int32Array.from([...tokens.slice(1, needleStart), ...tokens.slice(needleStart + needleTokens, -5)]);
      const needleIds = tokens.slice(needleStart, needleStart + needleTokens);
      const depth = needleStart < inputTokens / 2 ? 0.1 : 0.6;
      const pieces: PromptPieces = { headIds: [0], needles: [{ ids: needleIds, answer: { ids: answer, blankTokens: 0, text: null } }], questionIds: tokens.slice(-5, -3), separatorIds: [], order: 'asked' };
      const built = buildPrompt(pieces, layOut(pieces, { contextTokens: inputTokens, depth, seed: 1 }, null), { prefix: (count) => filler.subarray(0, count), sentenceEnds: null });
      expect([...built.tokens]).toEqual(tokens);
      expect(spanOf(built)).toEqual([needleStart, needleStart + needleTokens]);
    }
  });

  it('is refused where the context leaves no haystack, with the length it needs', () => {
    expect(minimumContextTokens(task, SEEDS, null)).toBe(13);
    expect(prompt(13, 0.5, 1).tokens).toHaveLength(13);
    const refusal = (): unknown => prompt(12, 0.5, 1);
    expect(refusal).toThrow(RopesweepError);
    expect(refusal).toThrow(/takes 12 tokens without its haystack/);
  });

  it('stands where its layout says, which needs no tokens', async () => {
    const layout = await layoutSource(task, null);
    everyPrompt((built, { contextTokens, depth, seed }) => {
      const { headTokens, fillerTokens, needles, questionTokens, answerTokens } = layout(contextTokens, { depth, seed });
      expect(needles).toEqual([{ index: 0, before: spanOf(built)[0] - 1, tokens: 6 }]);
      expect(headTokens + fillerTokens + 6 + questionTokens + answerTokens - 1).toBe(contextTokens);
      expect(built.answers).toBeNull();
    });
  });
});
