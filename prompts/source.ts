/**
 * Prompts of a resolved task: what a slot asks for cell by cell, and what a plan counts without building any.
 */
import type { NeedleAxes, ResolvedNeedleTask } from '../domain/task.js';
import { buildPrompt, type Prompt } from './build.js';
import { openHaystack } from './haystack.js';
import { layOut, type PromptLayout } from './layout.js';
import { openPieces, type PromptPieces } from './pieces.js';
import { standInTokenizer } from './standInTokenizer.js';
import type { HaystackStream } from './stream.js';
import type { PromptTokenizer } from './tokenizer.js';

export type PromptOf = (contextTokens: number, axes: NeedleAxes) => Prompt;
export type LayoutOf = (contextTokens: number, axes: NeedleAxes) => PromptLayout;

/**
 * Builds the prompt of a cell; haystack and needles of a seed are drawn once and kept.
 *
 * @param tokenizer null is enough for a task of token ids
 * @throws RopesweepError SPEC_INVALID where text lacks a tokenizer or a chat template; DOCUMENT_MISMATCH where a text
 *   file is not the plan's. The function: PROMPT_IMPOSSIBLE
 */
export async function promptSource(task: ResolvedNeedleTask, tokenizer: PromptTokenizer | null): Promise<PromptOf> {
  const haystackOf = memoised(await openHaystack(task.haystack, tokenizer));
  const piecesOf = memoised(openPieces(task.needle, task.template, tokenizer));
  return (contextTokens, { depth, seed }) => {
    const [pieces, haystack] = [piecesOf(seed), haystackOf(seed)];
    return buildPrompt(pieces, layOut(pieces, { contextTokens, depth, seed }, placesOf(task, haystack)), haystack);
  };
}

/**
 * Where the parts of each cell's prompt stand: exact with the tokenizer. Without one (a plan from a config alone) texts
 * are counted at a token to four bytes, and needles are not snapped.
 *
 * @throws RopesweepError as {@link promptSource}
 */
export async function layoutSource(task: ResolvedNeedleTask, tokenizer: PromptTokenizer | null): Promise<LayoutOf> {
  const piecesOf = memoised(openPieces(task.needle, task.template, tokenizer ?? standInTokenizer));
  // Only sentence ends need the haystack itself.
  const snapped = task.snap === 'sentence' && tokenizer !== null;
  const haystackOf = snapped ? memoised(await openHaystack(task.haystack, tokenizer)) : null;
  return (contextTokens, { depth, seed }) => {
    const haystack = haystackOf?.(seed);
    return layOut(piecesOf(seed), { contextTokens, depth, seed }, haystack === undefined ? null : placesOf(task, haystack));
  };
}

const placesOf = ({ snap }: ResolvedNeedleTask, { sentenceEnds }: HaystackStream): HaystackStream['sentenceEnds'] => (snap === 'sentence' ? sentenceEnds : null);

/** By seed, each made once. */
function memoised<Made extends HaystackStream | PromptPieces>(make: (seed: number) => Made): (seed: number) => Made {
  const made = new Map<number, Made>();
  return (seed) => {
    const known = made.get(seed) ?? make(seed);
    made.set(seed, known);
    return known;
  };
}
