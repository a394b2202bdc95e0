/**
 * The perplexity task: the losses of documents' windows, token by token; domain/perplexity.ts makes every convention of them.
 *
 * A window that starts where a shorter one of another cell starts continues it, so cells of one document at several context
 * lengths cost what the longest costs. Losses leave the graph, logits do not: the output projection runs on a bounded number
 * of rows at a time, and the bits of a loss do not depend on which.
 */
import { performance } from 'node:perf_hooks';
import { RopesweepError } from '../domain/errors.js';
import { groupBy } from '../domain/groupBy.js';
import type { CellResult, PerplexityNumbers } from '../domain/measurement.js';
import { countedTokens, documentWindows, tokensRead, type DocumentWindow } from '../domain/perplexity.js';
import type { TaskWork } from '../domain/slot.js';
import type { ResolvedDocument, ResolvedPerplexityTask } from '../domain/task.js';
import { openDocuments, type DocumentTokens } from '../prompts/documentTokens.js';
import type { Tokenizer } from '../prompts/tokenizer.js';
import type { SequenceDecoder } from './sequenceDecoder.js';
import { SequenceLosses } from './sequenceLosses.js';
import { failure, type TaskEvaluator } from './taskEvaluator.js';
import { tokenDigest } from './tokenDigest.js';

export interface PerplexityTexts {
  readonly documentTokens: DocumentTokens;
  /** UTF-8 bytes of text that a token stands for; null where the checkpoint has no tokenizer. */
  readonly byteLength: ((token: number) => number) | null;
}

/** Tokens of the cells, as the statistics of a shard count them. */
export interface PerplexityTokens {
  readonly promptTokens: number;
  readonly distinctTokens: number;
}

type Cell = TaskWork<'perplexity'>['cells'][number];

/** A cell with its windows and what is known of their losses. */
interface OpenCell {
  readonly cell: Cell;
  readonly windows: readonly DocumentWindow[];
  /** One a window, in their order. */
  readonly losses: Float32Array[];
  seconds: number;
}

export function openPerplexity(task: ResolvedPerplexityTask, tokenizer: Tokenizer | null): Promise<TaskEvaluator<'perplexity'>> {
  const texts: PerplexityTexts = { documentTokens: openDocuments(tokenizer), byteLength: tokenizer === null ? null : (token) => tokenizer.byteLength(token) };
  return Promise.resolve({
    extraTokens: 0,
    evaluate: async (decoder, cells, emit) => ({ ...(await evaluatePerplexity(decoder, { task, cells }, texts, emit)), completionTokens: 0 }),
  });
}

/**
 * Evaluates cells that share the decoder's table, which has room for the longest of them.
 * @param emit gets each result as soon as it is known; a cell that cannot be evaluated is one, with its reason
 */
export async function evaluatePerplexity(
  decoder: SequenceDecoder,
  { task, cells }: TaskWork<'perplexity'>,
  texts: PerplexityTexts,
  emit: (result: CellResult) => void,
): Promise<PerplexityTokens> {
  const documents = new Map(task.documents.map((document) => [document.id, document]));
  let [promptTokens, distinctTokens] = [0, 0];
  for (const [id, ofDocument] of groupBy(cells, (cell) => cell.axes.document)) {
    try {
      const document = documents.get(id);
      if (document === undefined) throw new RopesweepError('INTERNAL', { where: `document ${id}`, what: 'the task does not have it' });
      const open = ofDocument.map((cell): OpenCell => ({
        cell,
        windows: documentWindows(task.windows, cell.contextTokens, document.headIds.length, document.tokens),
        losses: [],
        seconds: 0,
      }));
      const tokens = await texts.documentTokens(document, Math.max(...open.map(({ windows }) => tokensRead(windows))));
      const evaluated = await evaluateDocument(decoder, document, tokens, open, texts.byteLength, emit);
      promptTokens += evaluated.promptTokens;
      distinctTokens += evaluated.distinctTokens;
    } catch (error) {
      for (const cell of ofDocument) emit(failure(cell.key, error));
    }
  }
  return { promptTokens, distinctTokens };
}

/** Window by window in order of their starts, each as far as the longest cell needs it. */
async function evaluateDocument(
  decoder: SequenceDecoder,
  document: ResolvedDocument,
  tokens: Int32Array,
  cells: readonly OpenCell[],
  byteLength: PerplexityTexts['byteLength'],
  emit: (result: CellResult) => void,
): Promise<PerplexityTokens> {
  const starts = [...new Set(cells.flatMap(({ windows }) => windows.map(({ start }) => start)))].sort((a, b) => a - b);
  const failed = new Set<OpenCell>();
  let [promptTokens, distinctTokens] = [0, 0];
  for (const start of starts) {
    const needing = cells
      .flatMap((cell) => cell.windows.filter((window) => window.start === start).map((window) => ({ cell, window })))
      .sort((a, b) => a.window.tokens - b.window.tokens);
    const longest = needing.at(-1)?.window.tokens ?? 0;
    const losses = new SequenceLosses(decoder, windowTokens(document, tokens, { start, tokens: longest }));
    distinctTokens += longest;
    for (const { cell, window } of needing) {
      promptTokens += window.tokens;
      if (failed.has(cell)) continue;
      const began = performance.now();
      try {
        cell.losses.push((await losses.upTo(window.tokens)).slice());
        cell.seconds += (performance.now() - began) / 1000;
        if (cell.losses.length === cell.windows.length) emit(resultOf(cell, document, tokens, byteLength));
      } catch (error) {
        failed.add(cell);
        emit(failure(cell.cell.key, error));
      }
    }
  }
  return { promptTokens, distinctTokens };
}

/** [window.tokens] the ids before the document, then its tokens from the window's start. */
function windowTokens({ headIds }: ResolvedDocument, tokens: Int32Array, { start, tokens: count }: DocumentWindow): Int32Array {
  const own = tokens.subarray(headIds.length + start, start + count);
  const window = new Int32Array(headIds.length + own.length);
  window.set(headIds);
  window.set(own, headIds.length);
  return window;
}

function resultOf({ cell, windows, losses, seconds }: OpenCell, document: ResolvedDocument, tokens: Int32Array, byteLength: PerplexityTexts['byteLength']): CellResult {
  const { key, contextTokens } = cell;
  const read = tokenDigest(tokens.subarray(0, tokensRead(windows)));
  if (!losses.every((ofWindow) => ofWindow.every(Number.isFinite))) return { key, state: 'diverged', seconds, tokenDigest: read };
  const isText = byteLength !== null && document.textDigest !== null;
  const stored = {
    nll: losses.flatMap((ofWindow) => [...ofWindow]),
    tokenBytes: isText ? windows.flatMap((window) => [...windowTokens(document, tokens, window).subarray(1)].map(byteLength)) : null,
    windowTokens: contextTokens,
    windowStarts: windows.map(({ start }) => start),
  };
  const perplexity: PerplexityNumbers = { ...stored, ...countedTokens(stored), tokenDigest: read };
  return { key, state: 'measured', seconds, perplexity };
}
