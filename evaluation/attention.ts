/**
 * The attention task: the mean attention distribution of every head over documents and their last rows.
 *
 *   P(bin) = mean over documents d and rows r of sum of p_{d,r}(key) over the keys of the bin
 *
 * Zhong et al. 2025 (COLING, main.600), section on attention patterns: 10 sequences, one line per (layer, head) and their
 * mean. What a document shares with itself at a shorter context is computed once. The rows leave the graph as binned masses
 * (model/distributionBranch.ts), a bounded number of rows at a time.
 */
import { performance } from 'node:perf_hooks';
import { RopesweepError } from '../domain/errors.js';
import { digest } from '../domain/identity.js';
import type { AttentionDistribution, AttentionNumbers, CellResult } from '../domain/measurement.js';
import type { JobCellOf } from '../domain/slot.js';
import type { ResolvedAttentionTask } from '../domain/task.js';
import type { KeyAxis } from '../domain/taskSpec.js';
import { openDocuments, type DocumentTokens } from '../prompts/documentTokens.js';
import type { Tokenizer } from '../prompts/tokenizer.js';
import { axisBins, binMasses, type AxisBins } from './attentionBins.js';
import { FEWEST_ROWS } from './chunks.js';
import type { FeedResult } from './decoder.js';
import { byRow, mean, packFloats } from './probeMeans.js';
import type { SequenceDecoder } from './sequenceDecoder.js';
import { failure, type EvaluatedTokens, type TaskEvaluator } from './taskEvaluator.js';
import { tokenDigest } from './tokenDigest.js';
import { normalizedEntropies } from './visibleKeys.js';

export function openAttention(task: ResolvedAttentionTask, tokenizer: Tokenizer | null): Promise<TaskEvaluator<'attention'>> {
  const documentTokens = openDocuments(tokenizer);
  return Promise.resolve({ extraTokens: 0, evaluate: (decoder, cells, emit) => evaluateCells(decoder, cells, task, documentTokens, emit) });
}

type Cell = JobCellOf<'attention'>;

async function evaluateCells(
  decoder: SequenceDecoder,
  cells: readonly Cell[],
  task: ResolvedAttentionTask,
  documentTokens: DocumentTokens,
  emit: (result: CellResult) => void,
): Promise<EvaluatedTokens> {
  const open = [...cells].sort((a, b) => a.contextTokens - b.contextTokens).map((cell) => new OpenCell(cell, task, decoder));
  const longest = open.at(-1)?.cell.contextTokens ?? 0;
  const failed = new Set<OpenCell>();
  const fail = (cell: OpenCell, error: unknown): void => {
    if (failed.has(cell)) return;
    failed.add(cell);
    emit(failure(cell.cell.key, error));
  };
  for (const document of task.documents) {
    try {
      const tokens = await documentTokens(document, longest);
      for (const cell of open) if (!failed.has(cell)) await cell.read(tokens).catch((error: unknown) => fail(cell, error));
    } catch (error) {
      for (const cell of open) fail(cell, error);
    }
  }
  for (const cell of open) if (!failed.has(cell)) emit(cell.result());
  const count = task.documents.length;
  return { promptTokens: count * open.reduce((sum, { cell }) => sum + cell.contextTokens, 0), distinctTokens: count * longest, completionTokens: 0 };
}

/** Most probabilities of a layer that exist at once: 64 MiB in float32, and twice that while they are summed. */
const MOST_PROBABILITIES = 2 ** 24;

/**
 * Sizes of the parts in which a document's last rows are probed: as even as can be, none of a single row.
 * A device that keeps nothing between runs probes all at once.
 */
export function partsOf(rows: number, contextTokens: number, { checkpoint, keepsKv }: Pick<SequenceDecoder, 'checkpoint' | 'keepsKv'>): number[] {
  const most = keepsKv ? Math.max(FEWEST_ROWS, Math.floor(MOST_PROBABILITIES / (checkpoint.config.heads * contextTokens))) : rows;
  const parts = Math.max(1, Math.min(Math.ceil(rows / most), Math.floor(rows / FEWEST_ROWS)));
  return Array.from({ length: parts }, (_, part) => Math.floor(((part + 1) * rows) / parts) - Math.floor((part * rows) / parts));
}

interface OpenAxis {
  readonly axis: KeyAxis;
  readonly bins: AxisBins;
  /** [layers][heads][edges] sum over documents of the mean over rows. */
  readonly below: Float64Array;
}

/** A cell while its documents are read. */
class OpenCell {
  private readonly axes: readonly OpenAxis[];
  private readonly digests: string[] = [];
  /** Sums over the documents read so far of means over rows, layers and heads. */
  private entropy = 0;
  private normalized = 0;
  private sinkMass = 0;
  private documents = 0;
  private finite = true;
  private seconds = 0;

  constructor(
    readonly cell: Cell,
    private readonly task: ResolvedAttentionTask,
    private readonly decoder: SequenceDecoder,
  ) {
    const { layers, heads } = decoder.checkpoint.config;
    this.axes = task.axes.map((axis) => {
      const bins = axisBins(axis, cell.contextTokens);
      return { axis, bins, below: new Float64Array(layers * heads * (bins.bins + 1)) };
    });
  }

  /** @param document at least contextTokens of it */
  async read(document: Int32Array): Promise<void> {
    const start = performance.now();
    const { contextTokens } = this.cell;
    const { rows } = this.task;
    if (contextTokens < rows) {
      throw new RopesweepError('PROMPT_IMPOSSIBLE', { where: `${contextTokens} tokens`, what: `they have fewer than the ${rows} rows that are averaged` });
    }
    const tokens = document.subarray(0, contextTokens);
    this.decoder.rewind(Math.min(this.decoder.sharedWith(tokens), contextTokens - rows));
    let end = contextTokens - rows;
    for (const part of partsOf(rows, contextTokens, this.decoder)) {
      const first = end;
      end += part;
      const edges = Array.from({ length: part }, (_, row) => this.axes.flatMap(({ bins }) => bins.edges(first + row)));
      this.add(await this.decoder.feed(tokens.subarray(this.decoder.length, end), { probeRows: part, edges }), first, part / rows);
    }
    this.documents += 1;
    this.digests.push(tokenDigest(tokens));
    this.seconds += (performance.now() - start) / 1000;
  }

  /** @param share of a document's rows */
  private add({ massBelow, probes, finite }: FeedResult, firstPosition: number, share: number): void {
    const { config } = this.decoder.checkpoint;
    const pairs = config.layers * config.heads;
    const edges = massBelow.length / pairs;
    let first = 0;
    for (const { bins, below } of this.axes) {
      const own = bins.bins + 1;
      for (let pair = 0; pair < pairs; pair += 1) {
        for (let edge = 0; edge < own; edge += 1) below[pair * own + edge] = (below[pair * own + edge] ?? 0) + share * (massBelow[pair * edges + first + edge] ?? 0);
      }
      first += own;
    }
    const over = (values: ArrayLike<number>): number => share * mean(byRow(values, probes.rows));
    this.finite &&= finite;
    this.entropy += over(probes.entropy);
    this.normalized += over(normalizedEntropies(config, probes.entropy, probes.rows, firstPosition));
    this.sinkMass += over(probes.sinkMass);
  }

  result(): CellResult {
    const { key } = this.cell;
    const tokens = digest(this.digests);
    if (!this.finite) return { key, state: 'diverged', seconds: this.seconds, tokenDigest: tokens };
    const { layers, heads } = this.decoder.checkpoint.config;
    const attention: AttentionNumbers = {
      layers,
      headCount: heads,
      documents: this.documents,
      rows: this.task.rows,
      distributions: this.axes.map((axis) => this.distribution(axis, layers * heads)),
      entropy: this.entropy / this.documents,
      entropyNormalized: this.normalized / this.documents,
      sinkMass: this.sinkMass / this.documents,
      tokenDigest: tokens,
    };
    return { key, state: 'measured', seconds: this.seconds, attention };
  }

  private distribution({ axis, bins, below }: OpenAxis, pairs: number): AttentionDistribution {
    const edges = bins.bins + 1;
    const ofHeads = Array.from({ length: pairs }, (_, pair) => binMasses(below.subarray(pair * edges, (pair + 1) * edges), bins).map((mass) => mass / this.documents));
    return {
      axis,
      bins: bins.bins,
      mean: Array.from({ length: bins.bins }, (_, bin) => ofHeads.reduce((sum, masses) => sum + (masses[bin] ?? 0), 0) / pairs),
      heads: this.task.probes === 'heads' ? packFloats(ofHeads.flat()) : null,
    };
  }
}
