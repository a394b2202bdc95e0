/**
 * One shard in a slot: prompts of its cells, in prefix order, one result a cell as soon as it is known.
 */
import { performance } from 'node:perf_hooks';
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { CellResult, ShardStats } from '../domain/measurement.js';
import type { NamedTable } from '../domain/plan.js';
import type { JobCell, ShardJob } from '../domain/slot.js';
import { openCheckpoint } from '../model/checkpoint.js';
import { asFloat32, type F32Cache } from '../model/f32Cache.js';
import type { Prompt } from '../prompts/build.js';
import { promptSource } from '../prompts/source.js';
import { nameTable } from '../rope/tableDigest.js';
import { Decoder } from './decoder.js';
import { evaluateNeedle, tokenDigest } from './needle.js';
import { distinctTokens, prefixOrder } from './prefixOrder.js';

/** Keeps the decoder of the last checkpoint: a slot that gets another shard of it loads nothing. */
export class Evaluator {
  private loaded: { readonly folder: string; readonly weightsId: string; readonly decoder: Decoder } | null = null;

  /** @param cache where weights that are not float32 are kept as such */
  constructor(
    private readonly threads: number,
    private readonly cache: F32Cache,
  ) {}

  /** @returns seconds spent loading; 0 when the checkpoint was loaded already. */
  async load(job: ShardJob): Promise<number> {
    const { folder, weightsId } = job.checkpoint;
    if (this.loaded?.folder === folder && this.loaded.weightsId === weightsId) return 0;
    const start = performance.now();
    await this.close();
    const checkpoint = await asFloat32(await openCheckpoint(folder), this.cache);
    const decoder = await Decoder.open(checkpoint, { threads: this.threads, dtype: job.dtype });
    this.loaded = { folder, weightsId, decoder };
    return (performance.now() - start) / 1000;
  }

  /**
   * Evaluates every cell of a job whose checkpoint is loaded.
   *
   * @param emit gets each result in the order in which it is known
   * @throws RopesweepError TABLE_MISMATCH before any cell when a table is not the one the plan names
   */
  async run(job: ShardJob, loadSeconds: number, emit: (result: CellResult) => void): Promise<ShardStats> {
    const decoder = this.loaded?.decoder;
    if (decoder === undefined) throw new RopesweepError('INTERNAL', { where: 'slot', what: 'a job was run before its checkpoint was loaded' });
    const start = performance.now();
    const fedBefore = decoder.fedTokens;
    const promptOf = promptSource(job.task);
    let promptTokens = 0;
    let distinct = 0;
    for (const [index, table] of job.tables.entries()) {
      if (nameTable(table).digest !== table.digest) {
        throw new RopesweepError('TABLE_MISMATCH', { where: `table ${index} of the shard`, what: `the numbers do not have the digest ${table.digest}` });
      }
      const cells = cellsThatFit(decoder, table, job.cells.filter((cell) => cell.table === index), emit);
      const prompts = cells.map((cell) => promptOf(cell.contextTokens, cell.axes));
      const tokens = prompts.map((prompt) => prompt.tokens);
      const order = prefixOrder(tokens);
      promptTokens += tokens.reduce((sum, one) => sum + one.length, 0);
      distinct += distinctTokens(tokens, order);
      for (const step of order) {
        const [cell, prompt] = [cells[step.prompt], prompts[step.prompt]];
        if (cell === undefined || prompt === undefined) continue;
        emit(await evaluateCell(decoder, job, cell, prompt));
      }
    }
    return {
      promptTokens,
      distinctTokens: distinct,
      computedTokens: decoder.fedTokens - fedBefore,
      loadSeconds,
      runSeconds: (performance.now() - start) / 1000,
    };
  }

  async close(): Promise<void> {
    await this.loaded?.decoder.dispose();
    this.loaded = null;
  }
}

/**
 * Gives the decoder its table and the memory of the longest cell; lengths whose KV cache cannot be had are infeasible.
 * @returns the cells that remain
 */
function cellsThatFit(decoder: Decoder, table: NamedTable, cells: readonly JobCell[], emit: (result: CellResult) => void): readonly JobCell[] {
  if (cells.length === 0) return cells;
  const longest = Math.max(...cells.map((cell) => cell.contextTokens));
  try {
    decoder.useTable(table, longest);
    return cells;
  } catch (error) {
    if (!(error instanceof RopesweepError) || error.code !== 'OUT_OF_MEMORY') throw error;
    for (const { key, contextTokens } of cells) {
      if (contextTokens === longest) emit({ key, state: 'infeasible', code: error.code, reason: error.message });
    }
    return cellsThatFit(decoder, table, cells.filter((cell) => cell.contextTokens < longest), emit);
  }
}

/** A cell that cannot be evaluated is one result, with its reason: the others of the shard go on. */
async function evaluateCell(decoder: Decoder, job: ShardJob, cell: JobCell, prompt: Prompt): Promise<CellResult> {
  const start = performance.now();
  try {
    // Greedy completion overwrites the tail of the cache, so what is shared is asked of the decoder, not of the order.
    const shared = decoder.sharedWith(prompt.tokens);
    const needle = await evaluateNeedle(decoder, prompt, shared, { heads: job.task.probes === 'heads' });
    const seconds = (performance.now() - start) / 1000;
    if ('diverged' in needle) return { key: cell.key, state: 'diverged', seconds, tokenDigest: tokenDigest(prompt.tokens) };
    return { key: cell.key, state: 'measured', seconds, needle };
  } catch (error) {
    decoder.rewind(0);
    const code = error instanceof RopesweepError ? error.code : 'CELL_FAILED';
    return { key: cell.key, state: code === 'OUT_OF_MEMORY' ? 'infeasible' : 'failed', code, reason: messageOf(error) };
  }
}
