/**
 * A decoder with a KV cache: feeds tokens at the end of what it holds, rewinds, and answers with rows and probes.
 *
 * The bits of an answer do not depend on how the sequence was fed: any chunks, any capacity, any number of threads, after
 * any rewind. What it takes: exact chunks (evaluation/chunks.ts) and no output projection of a single row; a single token is
 * fed together with the one before it. They do depend on the question, that is on how many rows are probed.
 */
import { CPU, type Device } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import { messageOf, RopesweepError, tellsOutOfMemory } from '../domain/errors.js';
import type { RopeTable } from '../domain/method.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { assertGraphFits, decoderGraph } from '../model/decoderGraph.js';
import { DECODER } from '../model/decoderInterface.js';
import { mostExactThreads } from '../model/exactThreads.js';
import { cosSinTables } from '../rope/cosSin.js';
import { openSession, tensor, type RuntimeTensor, type Session, type Tensors } from '../runtime/session.js';
import { l2CacheBytes } from '../runtime/systemFiles.js';
import { chosenChunk, chunkSizes, FEWEST_ROWS, LONGEST_CHUNK, type Cut } from './chunks.js';
import { checkFeed, feedError, type FeedOptions, type FeedRequest, type FeedResult } from './feed.js';
import { int64, readResult, requestInputs, rowInput, wantedOutputs } from './feedTensors.js';
import { KvCache } from './kvCache.js';
import type { SequenceDecoder } from './sequenceDecoder.js';

export type { AnswerRow, AttentionProbes, FeedOptions, FeedResult } from './feed.js';

export interface DecoderOptions {
  /** At most; fewer where more would change bits (model/exactThreads.ts). */
  readonly threads: number;
  readonly dtype: ComputeDtype;
  /** The CPU if absent. */
  readonly device?: Device;
  /** Whether feeds may ask for attention distributions; no if absent. */
  readonly distributions?: boolean;
}

export class Decoder implements SequenceDecoder {
  readonly keepsKv = true;
  #cache: KvCache | null = null;
  #cos: RuntimeTensor | null = null;
  #sin: RuntimeTensor | null = null;
  #tokens = new Int32Array(0);
  #length = 0;
  #fedTokens = 0;
  readonly #chunkTokens: number;

  private constructor(
    readonly checkpoint: Checkpoint,
    private readonly session: Session,
    private readonly distributions: boolean,
  ) {
    this.#chunkTokens = chosenChunk(checkpoint.config.headSize, l2CacheBytes());
  }

  /** @throws RopesweepError CHECKPOINT_INVALID, MODEL_UNSUPPORTED */
  static async open(checkpoint: Checkpoint, { threads, device = CPU, distributions = false }: DecoderOptions): Promise<Decoder> {
    const session = await openSession(decoderGraph(checkpoint, { distributions }), { threads: Math.min(threads, mostExactThreads(checkpoint.config)), device });
    return new Decoder(checkpoint, session, distributions);
  }

  get layers(): number {
    return this.checkpoint.config.layers;
  }

  /** Query heads of a layer. */
  get heads(): number {
    return this.checkpoint.config.heads;
  }

  /** Tokens that went through the model since it was opened, re-fed ones included. */
  get fedTokens(): number {
    return this.#fedTokens;
  }

  /** Tokens in the cache. */
  get length(): number {
    return this.#length;
  }

  /** Tokens the sequence can hold with the present table. */
  get capacityTokens(): number {
    return this.#tokens.length;
  }

  /**
   * Takes a RoPE table and empties the sequence: keys rotated by another table are of no use.
   * Memory grows to the largest capacity asked for and is kept.
   * @throws RopesweepError TABLE_MISMATCH, MODEL_UNSUPPORTED, OUT_OF_MEMORY
   */
  useTable(table: RopeTable, capacityTokens: number): void {
    const { config, geometry } = this.checkpoint;
    const pairs = table.inverseFrequencies.length;
    if (pairs * 2 !== geometry.rotarySize) {
      throw new RopesweepError('TABLE_MISMATCH', { where: this.checkpoint.folder, what: `a table of ${pairs} pairs does not fit ${geometry.rotarySize} rotating dimensions` });
    }
    assertGraphFits(config, { capacityTokens, chunkTokens: Math.min(capacityTokens, LONGEST_CHUNK), rows: FEWEST_ROWS });
    if (this.#cache === null || this.#cache.capacityTokens < capacityTokens) {
      this.#cache = null; // let the old memory go before the new is taken
      this.#cache = new KvCache(config, capacityTokens);
    }
    const { cos, sin } = cosSinTables(table, capacityTokens);
    this.#cos = tensor('float32', cos, [capacityTokens, pairs]);
    this.#sin = tensor('float32', sin, [capacityTokens, pairs]);
    this.#tokens = new Int32Array(capacityTokens);
    this.#length = 0;
  }

  /** How many leading tokens of a sequence the cache holds already: what {@link rewind} may keep. */
  sharedWith(tokens: ArrayLike<number>): number {
    const limit = Math.min(tokens.length, this.#length);
    let shared = 0;
    while (shared < limit && tokens[shared] === this.#tokens[shared]) shared += 1;
    return shared;
  }

  /** Forgets all tokens from `length` on. */
  rewind(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.#length) {
      throw feedError(`cannot rewind ${this.#length} tokens to ${length}`);
    }
    this.#length = length;
  }

  /**
   * Appends tokens at the present length.
   * @throws RopesweepError OUT_OF_MEMORY; INTERNAL for tokens, rows or spans that cannot be
   */
  async feed(tokens: ArrayLike<number>, options: FeedOptions = {}): Promise<FeedResult> {
    const request = this.#check(tokens, options);
    const cut = { headSize: this.checkpoint.config.headSize, rows: Math.max(request.logitRows, request.probeRows), longest: options.chunkTokens ?? this.#chunkTokens };
    const { again, sizes } = this.#cut(tokens.length, cut);
    const start = this.#length - again;
    this.#tokens.set(tokens, this.#length);
    const end = this.#length + tokens.length;

    let position = start;
    for (const size of sizes.slice(0, -1)) {
      await this.#run(position, size, { ...request, logitRows: 0, probeRows: 0, targets: [] }, {});
      position += size;
    }
    const outputs = await this.#run(position, end - position, request, wantedOutputs(request));
    this.#length = end;
    this.#fedTokens += end - start;
    return readResult(outputs, request, this.checkpoint.config);
  }

  async dispose(): Promise<void> {
    this.#cache = null;
    await this.session.release();
  }

  /**
   * How to feed `count` tokens: where no cut is exact, tokens of the cache go in once more and are computed to the same
   * bits. At the start of a sequence there are none, and few tokens with all their rows asked for are one chunk as they are.
   */
  #cut(count: number, cut: Cut): { readonly again: number; readonly sizes: readonly number[] } {
    // The first token of a sequence, fed alone, was computed by other kernels.
    for (let again = this.#length === 1 ? 1 : 0; again <= this.#length; again += 1) {
      const sizes = chunkSizes(again + count, cut);
      if (sizes !== null) return { again, sizes };
    }
    return { again: this.#length, sizes: [this.#length + count] };
  }

  #check(tokens: ArrayLike<number>, options: FeedOptions): FeedRequest {
    const { vocabularySize } = this.checkpoint.config;
    const request = checkFeed(tokens, options, { length: this.#length, capacityTokens: this.capacityTokens, vocabularySize, distributions: this.distributions });
    const rows = Math.max(request.logitRows, request.probeRows, FEWEST_ROWS);
    assertGraphFits(this.checkpoint.config, { capacityTokens: this.capacityTokens, chunkTokens: Math.max(rows, options.chunkTokens ?? LONGEST_CHUNK), rows });
    return request;
  }

  async #run(position: number, size: number, request: FeedRequest, outputs: Readonly<Record<string, null>>): Promise<Tensors> {
    if (this.#cache === null || this.#cos === null || this.#sin === null) throw feedError('a decoder needs a table before it is fed');
    const { inputs } = DECODER;
    const end = position + size;
    const feeds = {
      ...this.#cache.inputs,
      ...requestInputs(request, { end, size, distributions: this.distributions }),
      ...rowInput(request, size),
      [inputs.tokens]: int64(this.#tokens.subarray(position, end), [1, size]),
      [inputs.cos]: this.#cos,
      [inputs.sin]: this.#sin,
      [inputs.newStart]: int64([position]),
      [inputs.newEnd]: int64([end]),
    };
    try {
      const results = await this.session.run(feeds, { ...this.#cache.outputs, ...outputs });
      this.#cache.append(results, position);
      return results;
    } catch (cause) {
      throw tellsOutOfMemory(messageOf(cause))
        ? new RopesweepError('OUT_OF_MEMORY', { where: this.checkpoint.folder, what: `out of memory: a chunk of ${size} tokens after ${position}: ${messageOf(cause)}` }, { cause })
        : cause;
    }
  }
}
