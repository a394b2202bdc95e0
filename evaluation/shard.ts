/**
 * One shard in a slot: its cells table by table, one result a cell as soon as it is known.
 */
import { performance } from 'node:perf_hooks';
import { CPU, type Device } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import { RopesweepError } from '../domain/errors.js';
import type { CellResult, ShardStats } from '../domain/measurement.js';
import type { NamedTable } from '../domain/plan.js';
import type { JobCellOf, ShardJob, ShardJobOf } from '../domain/slot.js';
import type { ResolvedTaskOf, TaskKind } from '../domain/task.js';
import { openCheckpoint } from '../model/checkpoint.js';
import type { WeightCache } from '../model/weightCache.js';
import { readTokenizerFiles } from '../model/tokenizerFiles.js';
import { Tokenizer } from '../prompts/tokenizer.js';
import { nameTable } from '../rope/tableDigest.js';
import { openAttention } from './attention.js';
import { openNeedle } from './needleShard.js';
import { openDecoder } from './openDecoder.js';
import { openPerplexity } from './perplexity.js';
import type { SequenceDecoder } from './sequenceDecoder.js';
import type { EvaluatedTokens, TaskEvaluator } from './taskEvaluator.js';

/** The kinds of tasks: the compiler names what a new one still lacks. */
const EVALUATORS: { readonly [K in TaskKind]: (task: ResolvedTaskOf<K>, tokenizer: Tokenizer | null) => Promise<TaskEvaluator<K>> } = {
  needle: openNeedle,
  perplexity: openPerplexity,
  attention: openAttention,
};

interface Loaded {
  readonly folder: string;
  readonly weightsId: string;
  readonly dtype: ComputeDtype;
  /** Whether the graph gives distributions, which only the attention task asks for. */
  readonly distributions: boolean;
  readonly decoder: SequenceDecoder;
  readonly tokenizer: Tokenizer | null;
}

/** Keeps the decoder of the last checkpoint: a slot that gets another shard of it loads nothing. */
export class Evaluator {
  private loaded: Loaded | null = null;

  /** @param cache where weights are kept in the type of the computation, if they are stored in another */
  constructor(
    private readonly threads: number,
    private readonly cache: WeightCache,
    private readonly device: Device = CPU,
  ) {}

  /** @returns seconds spent loading; 0 when the checkpoint was loaded already. */
  async load(job: ShardJob): Promise<number> {
    const { folder, weightsId } = job.checkpoint;
    const { dtype } = job;
    const distributions = job.task.kind === 'attention';
    const { loaded } = this;
    if (loaded?.folder === folder && loaded.weightsId === weightsId && loaded.dtype === dtype && loaded.distributions === distributions) return 0;
    const start = performance.now();
    await this.close();
    const files = await readTokenizerFiles(folder);
    const decoder = await openDecoder(await openCheckpoint(folder), this.cache, { device: this.device, dtype, threads: this.threads, distributions });
    this.loaded = { folder, weightsId, dtype, distributions, decoder, tokenizer: files === null ? null : new Tokenizer(files) };
    return (performance.now() - start) / 1000;
  }

  /**
   * Evaluates every cell of a job whose checkpoint is loaded.
   *
   * @param emit gets each result in the order in which it is known
   * @throws RopesweepError TABLE_MISMATCH before any cell when a table is not the one the plan names
   */
  async run(job: ShardJob, loadSeconds: number, emit: (result: CellResult) => void): Promise<ShardStats> {
    const { loaded } = this;
    if (loaded === null) throw new RopesweepError('INTERNAL', { where: 'slot', what: 'a job was run before its checkpoint was loaded' });
    const start = performance.now();
    const fedBefore = loaded.decoder.fedTokens;
    checkTables(job);
    const evaluated = await evaluateJob(loaded, job, emit);
    const computedTokens = loaded.decoder.fedTokens - fedBefore - evaluated.completionTokens;
    return { ...evaluated, computedTokens, loadSeconds, runSeconds: (performance.now() - start) / 1000 };
  }

  async close(): Promise<void> {
    await this.loaded?.decoder.dispose();
    this.loaded = null;
  }
}

function checkTables({ tables }: ShardJob): void {
  for (const [index, table] of tables.entries()) {
    if (nameTable(table).digest === table.digest) continue;
    throw new RopesweepError('TABLE_MISMATCH', { where: `table ${index} of the shard`, what: `the numbers do not have the digest ${table.digest}` });
  }
}

function evaluateJob(loaded: Loaded, job: ShardJob, emit: (result: CellResult) => void): Promise<EvaluatedTokens> {
  switch (job.task.kind) {
    case 'needle':
      return evaluateTables(loaded, job as ShardJobOf<'needle'>, emit);
    case 'perplexity':
      return evaluateTables(loaded, job as ShardJobOf<'perplexity'>, emit);
    case 'attention':
      return evaluateTables(loaded, job as ShardJobOf<'attention'>, emit);
  }
}

async function evaluateTables<K extends TaskKind>({ decoder, tokenizer }: Loaded, { task, cells, tables }: ShardJobOf<K>, emit: (result: CellResult) => void): Promise<EvaluatedTokens> {
  const kind: K = task.kind;
  const evaluator = await EVALUATORS[kind](task, tokenizer);
  const total = { promptTokens: 0, distinctTokens: 0, completionTokens: 0 };
  for (const [index, table] of tables.entries()) {
    const fitting = cellsThatFit(decoder, table, evaluator.extraTokens, cells.filter((cell) => cell.table === index), emit);
    const evaluated = await evaluator.evaluate(decoder, fitting, emit);
    total.promptTokens += evaluated.promptTokens;
    total.distinctTokens += evaluated.distinctTokens;
    total.completionTokens += evaluated.completionTokens;
  }
  return total;
}

/**
 * Gives the decoder its table and the memory of the longest cell; lengths whose KV cache cannot be had are infeasible.
 * @returns the cells that remain
 */
function cellsThatFit<K extends TaskKind>(decoder: SequenceDecoder, table: NamedTable, extraTokens: number, cells: readonly JobCellOf<K>[], emit: (result: CellResult) => void): readonly JobCellOf<K>[] {
  if (cells.length === 0) return cells;
  const longest = Math.max(...cells.map((cell) => cell.contextTokens));
  try {
    decoder.useTable(table, longest + extraTokens);
    return cells;
  } catch (error) {
    if (!(error instanceof RopesweepError) || (error.code !== 'OUT_OF_MEMORY' && error.code !== 'MODEL_UNSUPPORTED')) throw error;
    for (const { key, contextTokens } of cells) {
      if (contextTokens === longest) emit({ key, state: 'infeasible', code: error.code, reason: error.message });
    }
    return cellsThatFit(decoder, table, extraTokens, cells.filter((cell) => cell.contextTokens < longest), emit);
  }
}
