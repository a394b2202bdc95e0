/**
 * Where the parts of a prompt stand, without its tokens:
 *
 *     head | haystack, cut by needles | question | answer but its last token
 *
 *     filler = contextTokens - tokens of everything else
 *
 * The first needle that is asked for stands after round(depth x filler) haystack tokens, halves up. The others stand
 * after round(u x filler), u drawn by the seed for each, whatever the depth; where a needle stands already, at the next
 * free place. Sentence-snapped needles stand at the nearest sentence end, the earlier one of two.
 */
import { RopesweepError } from '../domain/errors.js';
import type { NeedleSpec, TemplateSpec } from '../domain/promptSpec.js';
import { answerOf, openPieces, type PromptPieces } from './pieces.js';
import { randomStream } from '../domain/random.js';
import { standInTokenizer } from './standInTokenizer.js';
import type { PromptTokenizer } from './tokenizer.js';

export interface PlacedNeedle {
  /** 0 is the one at the cell's depth; needles of one seed have the same tokens under the same index. */
  readonly index: number;
  /** Haystack tokens before it. */
  readonly before: number;
  readonly tokens: number;
}

/** All lengths in tokens; head + filler + needles + question + answer - 1 = contextTokens. */
export interface PromptLayout {
  readonly contextTokens: number;
  readonly headTokens: number;
  readonly fillerTokens: number;
  /** Ascending by `before`, no two alike. */
  readonly needles: readonly PlacedNeedle[];
  readonly questionTokens: number;
  readonly answerTokens: number;
}

/** Haystack tokens before the needle: round(depth x filler), halves up. */
export const tokensBeforeNeedle = (depth: number, fillerTokens: number): number => Math.round(depth * fillerTokens);

/** Tokens of a prompt that are not haystack. */
export function fixedTokens(pieces: PromptPieces): number {
  const needles = pieces.needles.reduce((sum, { ids }) => sum + ids.length, 0);
  return pieces.headIds.length + needles + pieces.questionIds.length + answerTokensOf(pieces) - 1;
}

/** Counted once: a plan lays out thousands of prompts of one seed. */
const answerTokens = new WeakMap<PromptPieces, number>();
function answerTokensOf(pieces: PromptPieces): number {
  const tokens = answerTokens.get(pieces) ?? answerOf(pieces, pieces.needles.map((_, index) => index)).ids.length;
  answerTokens.set(pieces, tokens);
  return tokens;
}

/** One token of haystack, so that depth 0 and depth 1 differ, and a place for every needle. */
const minimumFiller = (pieces: PromptPieces): number => Math.max(1, pieces.needles.length - 1);

/**
 * The shortest context that holds the prompts of all seeds; without a tokenizer, texts are counted at a token to four
 * bytes.
 *
 * @throws RopesweepError SPEC_INVALID as {@link openPieces}
 */
export function minimumContextTokens(task: { readonly needle: NeedleSpec; readonly template: TemplateSpec }, seeds: readonly number[], tokenizer: PromptTokenizer | null): number {
  const piecesOf = openPieces(task.needle, task.template, tokenizer ?? standInTokenizer);
  return Math.max(...seeds.map((seed) => fixedTokens(piecesOf(seed)) + minimumFiller(piecesOf(seed))));
}

export interface LayoutPoint {
  readonly contextTokens: number;
  /** Fraction 0..1. */
  readonly depth: number;
  readonly seed: number;
}

/**
 * Lays out one prompt.
 *
 * @param sentenceEnds places in the first `count` haystack tokens where needles may stand; null = any
 * @throws RopesweepError PROMPT_IMPOSSIBLE if contextTokens leaves no haystack, or fewer places than needles
 */
export function layOut(pieces: PromptPieces, { contextTokens, depth, seed }: LayoutPoint, sentenceEnds: ((count: number) => readonly number[]) | null): PromptLayout {
  const fixed = fixedTokens(pieces);
  const fillerTokens = contextTokens - fixed;
  const impossible = (what: string, mend: string): RopesweepError => new RopesweepError('PROMPT_IMPOSSIBLE', { where: `contextTokens ${contextTokens}`, what, mend });
  if (fillerTokens < minimumFiller(pieces)) {
    throw impossible(`the prompt takes ${fixed} tokens without its haystack`, `Use at least ${fixed + minimumFiller(pieces)}.`);
  }
  const ends = sentenceEnds?.(fillerTokens) ?? null;
  const places = ends?.length ?? fillerTokens + 1;
  if (places < pieces.needles.length) throw impossible(`${pieces.needles.length} needles find ${places} sentence ends in its haystack`, 'Use a longer context length, fewer needles, or snap: token.');
  const others = pieces.needles.length > 1 ? randomStream('placement', seed) : null;
  const taken = new Set<number>();
  const needles = pieces.needles.map(({ ids }, index) => {
    const wanted = tokensBeforeNeedle(index === 0 || others === null ? depth : others.fraction(), fillerTokens);
    let place = ends === null ? wanted : nearest(ends, wanted);
    while (taken.has(place)) place = (place + 1) % places;
    taken.add(place);
    return { index, before: ends?.[place] ?? place, tokens: ids.length };
  });
  return {
    contextTokens,
    headTokens: pieces.headIds.length,
    fillerTokens,
    needles: needles.sort((a, b) => a.before - b.before),
    questionTokens: pieces.questionIds.length,
    answerTokens: answerTokensOf(pieces),
  };
}

/** Index of the number of an ascending list that is nearest to `wanted`, the earlier one of two. */
function nearest(ascending: readonly number[], wanted: number): number {
  const after = ascending.findIndex((end) => end >= wanted);
  if (after < 0) return ascending.length - 1;
  return after > 0 && wanted - (ascending[after - 1] ?? 0) <= (ascending[after] ?? 0) - wanted ? after - 1 : after;
}
