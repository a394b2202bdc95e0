/**
 * The attention task: the mean attention distribution of every head over documents and their last rows.
 *
 *   P(bin) = mean over documents d and rows r of sum of p_{d,r}(key) over the keys of the bin
 *
 * Zhong et al. 2025 (COLING, main.600), section on attention patterns: 10 sequences, one line per (layer, head) and their
 * mean. What a document shares with itself at a shorter context is computed once.
 */
import { performance } from 'node:perf_hooks';
import { digest } from '../domain/identity.js';
import type { AttentionDistribution, AttentionNumbers, CellResult } from '../domain/measurement.js';
import type { JobCellOf } from '../domain/slot.js';
import type { ResolvedAttentionTask } from '../domain/task.js';
import type { KeyAxis } from '../domain/taskSpec.js';
import { openDocuments, type DocumentTokens } from '../prompts/documentTokens.js';
import type { Tokenizer } from '../prompts/tokenizer.js';
import { axisBins, binMasses, type AxisBins } from './attentionBins.js';
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
  try {
    for (const document of task.documents) {
      const tokens = await documentTokens(document, longest);
      for (const cell of open) await cell.read(tokens);
    }
    for (const cell of open) emit(cell.result());
  } catch (error) {
    decoder.rewind(0);
    for (const { cell } of open) emit(failure(cell.key, error));
  }
  const count = task.documents.length;
  return { promptTokens: count * open.reduce((sum, { cell }) => sum + cell.contextTokens, 0), distinctTokens: count * longest, completionTokens: 0 };
}

interface OpenAxis {
  readonly axis: KeyAxis;
  readonly bins: AxisBins;
  /** [layers][heads][edges], summed over documents. */
  readonly below: Float64Array;
}

/** A cell while its documents are read. */
class OpenCell {
  private readonly axes: readonly OpenAxis[];
  private readonly digests: string[] = [];
  private readonly entropies: number[] = [];
  private readonly normalized: number[] = [];
  private readonly sinkMasses: number[] = [];
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
    const tokens = document.subarray(0, contextTokens);
    // The probed rows leave in one run, so the decoder may not already be past them.
    this.decoder.rewind(Math.min(this.decoder.sharedWith(tokens), contextTokens - rows));
    const edges = Array.from({ length: rows }, (_, row) => this.axes.flatMap(({ bins }) => bins.edges(contextTokens - rows + row)));
    const result = await this.decoder.feed(tokens.subarray(this.decoder.length), { probeRows: rows, edges });
    this.finite &&= result.finite;
    this.add(result);
    this.digests.push(tokenDigest(tokens));
    this.seconds += (performance.now() - start) / 1000;
  }

  private add({ massBelow, probes }: FeedResult): void {
    const { rows } = this.task;
    const { config } = this.decoder.checkpoint;
    const pairs = config.layers * config.heads;
    const edges = massBelow.length / pairs;
    let first = 0;
    for (const { bins, below } of this.axes) {
      const own = bins.bins + 1;
      for (let pair = 0; pair < pairs; pair += 1) {
        for (let edge = 0; edge < own; edge += 1) below[pair * own + edge] = (below[pair * own + edge] ?? 0) + (massBelow[pair * edges + first + edge] ?? 0);
      }
      first += own;
    }
    const over = (values: ArrayLike<number>): number => mean(byRow(values, rows));
    this.entropies.push(over(probes.entropy));
    this.normalized.push(over(normalizedEntropies(config, probes.entropy, rows, this.cell.contextTokens - rows)));
    this.sinkMasses.push(over(probes.sinkMass));
  }

  result(): CellResult {
    const { key } = this.cell;
    const tokens = digest(this.digests);
    if (!this.finite) return { key, state: 'diverged', seconds: this.seconds, tokenDigest: tokens };
    const { layers, heads } = this.decoder.checkpoint.config;
    const attention: AttentionNumbers = {
      layers,
      headCount: heads,
      documents: this.task.documents.length,
      rows: this.task.rows,
      distributions: this.axes.map((axis) => this.distribution(axis, layers * heads)),
      entropy: mean(this.entropies),
      entropyNormalized: mean(this.normalized),
      sinkMass: mean(this.sinkMasses),
      tokenDigest: tokens,
    };
    return { key, state: 'measured', seconds: this.seconds, attention };
  }

  private distribution({ axis, bins, below }: OpenAxis, pairs: number): AttentionDistribution {
    const edges = bins.bins + 1;
    const ofHeads = Array.from({ length: pairs }, (_, pair) => binMasses(below.subarray(pair * edges, (pair + 1) * edges), bins).map((mass) => mass / this.task.documents.length));
    return {
      axis,
      bins: bins.bins,
      mean: Array.from({ length: bins.bins }, (_, bin) => ofHeads.reduce((sum, masses) => sum + (masses[bin] ?? 0), 0) / pairs),
      heads: this.task.probes === 'heads' ? packFloats(ofHeads.flat()) : null,
    };
  }
}
