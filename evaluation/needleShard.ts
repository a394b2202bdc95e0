/** The needle cells of one table, in prefix order. */
import { performance } from 'node:perf_hooks';
import type { CellResult } from '../domain/measurement.js';
import type { ResolvedNeedleTask } from '../domain/task.js';
import type { JobCellOf } from '../domain/slot.js';
import { promptSource, type PromptOf } from '../prompts/source.js';
import type { Tokenizer } from '../prompts/tokenizer.js';
import { evaluateNeedle, type AnswerText, type NeedleOptions } from './needle.js';
import { distinctTokens, prefixOrder } from './prefixOrder.js';
import type { SequenceDecoder } from './sequenceDecoder.js';
import { failure, type EvaluatedTokens, type TaskEvaluator } from './taskEvaluator.js';
import { tokenDigest } from './tokenDigest.js';

type Cell = JobCellOf<'needle'>;

export async function openNeedle(task: ResolvedNeedleTask, tokenizer: Tokenizer | null): Promise<TaskEvaluator<'needle'>> {
  const promptOf = await promptSource(task, tokenizer);
  const options: NeedleOptions = {
    heads: task.probes === 'heads',
    localTokens: task.localTokens,
    generateTokens: task.generateTokens,
    text: tokenizer === null ? null : answerText(tokenizer),
  };
  return {
    extraTokens: task.generateTokens,
    evaluate: (decoder, cells, emit) => evaluateCells(decoder, cells, promptOf, options, emit),
  };
}

const answerText = (tokenizer: Tokenizer): AnswerText => ({
  decode: (ids) => tokenizer.decode(ids, { skipSpecial: true }),
  endTokens: new Set(tokenizer.eosTokenIds),
});

async function evaluateCells(decoder: SequenceDecoder, cells: readonly Cell[], promptOf: PromptOf, options: NeedleOptions, emit: (result: CellResult) => void): Promise<EvaluatedTokens> {
  const prompts = cells.map((cell) => promptOf(cell.contextTokens, cell.axes));
  const tokens = prompts.map((prompt) => prompt.tokens);
  const order = prefixOrder(tokens);
  let completionTokens = 0;
  for (const { prompt: index } of order) {
    const [cell, prompt] = [cells[index], prompts[index]];
    if (cell === undefined || prompt === undefined) continue;
    const start = performance.now();
    try {
      const evaluated = await evaluateNeedle(decoder, prompt, options);
      const seconds = (performance.now() - start) / 1000;
      completionTokens += evaluated.completionTokens;
      if (evaluated.numbers === null) emit({ key: cell.key, state: 'diverged', seconds, tokenDigest: tokenDigest(prompt.tokens) });
      else emit({ key: cell.key, state: 'measured', seconds, needle: evaluated.numbers });
    } catch (error) {
      decoder.rewind(0);
      emit(failure(cell.key, error));
    }
  }
  return { promptTokens: tokens.reduce((sum, one) => sum + one.length, 0), distinctTokens: distinctTokens(tokens, order), completionTokens };
}
