/**
 * A decoder with a KV cache: feeds tokens at the end of what it holds, rewinds, and answers with rows and probes.
 *
 * The bits of an answer do not depend on how the sequence was fed: any chunks, any capacity, any number of threads, after
 * any rewind. What it takes: exact chunks (evaluation/chunks.ts) and no output projection of a single row; a single token is
 * fed together with the one before it. They do depend on the question, that is on how many rows are probed.
 */
import type { ComputeDtype } from '../domain/engine.js';
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { RopeTable } from '../domain/method.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { assertGraphFits, decoderGraph } from '../model/decoderGraph.js';
import { DECODER } from '../model/decoderInterface.js';
import { mostExactThreads } from '../model/exactThreads.js';
import { cosSinTables } from '../rope/cosSin.js';
import { openSession, tensor, type RuntimeTensor, type Session, type Tensors } from '../runtime/session.js';
import { chunkSizes, FEWEST_ROWS, LONGEST_CHUNK, type Cut } from './chunks.js';
import { KvCache } from './kvCache.js';
import type { SequenceDecoder } from './sequenceDecoder.js';

export interface DecoderOptions {
  /** At most; fewer where more would change bits (model/exactThreads.ts). */
  readonly threads: number;
  readonly dtype: ComputeDtype;
  /** Whether feeds may ask for attention distributions; no if absent. */
  readonly distributions?: boolean;
}

export interface FeedOptions {
  /** Rows of the output projection: the last tokens fed. */
  readonly logitRows?: number;
  /** [logitRows] the token each of these rows should predict. */
  readonly targets?: ArrayLike<number>;
  /** Whether the rows carry their logits. */
  readonly keepLogits?: boolean;
  /** Rows whose attention is probed: the last tokens fed. */
  readonly probeRows?: number;
  /** [start, end) of the keys that `spanMass` sums over, in positions of the sequence; they do not overlap. */
  readonly spans?: readonly (readonly [start: number, end: number])[];
  /** Keys that `localMass` sums over: the last w of a row, its own among them; 1 if absent. */
  readonly localTokens?: number;
  /** Edges of the bins of `massBelow`, the same number for every probed row. Takes a decoder with distributions. */
  readonly edges?: readonly (readonly number[])[];
  /** Tokens a chunk at most, at least 2; the engine's choice if absent. */
  readonly chunkTokens?: number;
}

export interface AnswerRow {
  /** [vocabularySize], with `keepLogits`. */
  readonly logits?: Float32Array;
  /** The most likely next token; the lowest id on a tie. */
  readonly top1: number;
  /** -ln p(target) in nats; NaN without a target. */
  readonly nll: number;
  /** Best logit minus the second best. */
  readonly margin: number;
}

/** Each [layers][heads][probeRows], flat. */
export interface AttentionProbes {
  readonly rows: number;
  /** Nats. */
  readonly entropy: Float32Array;
  readonly maxProbability: Float32Array;
  /** Position of the largest probability; the first on a tie. */
  readonly maxPosition: Int32Array;
  /** Mass on key 0. */
  readonly sinkMass: Float32Array;
  /** Mass on keys 0 to 3. */
  readonly sinkMass4: Float32Array;
  readonly localMass: Float32Array;
  readonly spanMass: Float32Array;
  /** [probeRows] entropy of the distribution averaged over layers and heads, nats. */
  readonly entropyOfMean: Float32Array;
}

export interface FeedResult {
  readonly rows: readonly AnswerRow[];
  readonly probes: AttentionProbes;
  /** [layers][heads][edges] mean over the probed rows of the attention mass on keys below each edge; with `edges`. */
  readonly massBelow: Float64Array;
  /** False if a row or probe is infinite or not a number: the cell has diverged. */
  readonly finite: boolean;
}

export class Decoder implements SequenceDecoder {
  readonly keepsKv = true;
  #cache: KvCache | null = null;
  #cos: RuntimeTensor | null = null;
  #sin: RuntimeTensor | null = null;
  #tokens = new Int32Array(0);
  #length = 0;
  #fedTokens = 0;

  private constructor(
    readonly checkpoint: Checkpoint,
    private readonly session: Session,
    private readonly distributions: boolean,
  ) {}

  /** @throws RopesweepError CHECKPOINT_INVALID, MODEL_UNSUPPORTED */
  static async open(checkpoint: Checkpoint, { threads, distributions = false }: DecoderOptions): Promise<Decoder> {
    const session = await openSession(decoderGraph(checkpoint, { distributions }), { threads: Math.min(threads, mostExactThreads(checkpoint.config)) });
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
      throw internal(`cannot rewind ${this.#length} tokens to ${length}`);
    }
    this.#length = length;
  }

  /**
   * Appends tokens at the present length.
   * @throws RopesweepError OUT_OF_MEMORY; INTERNAL for tokens, rows or spans that cannot be
   */
  async feed(tokens: ArrayLike<number>, options: FeedOptions = {}): Promise<FeedResult> {
    const request = this.#check(tokens, options);
    const cut = { headSize: this.checkpoint.config.headSize, rows: Math.max(request.logitRows, request.probeRows), longest: options.chunkTokens ?? LONGEST_CHUNK };
    const { again, sizes } = this.#cut(tokens.length, cut);
    const start = this.#length - again;
    this.#tokens.set(tokens, this.#length);
    const end = this.#length + tokens.length;

    let position = start;
    for (const size of sizes.slice(0, -1)) {
      await this.#run(position, size, { ...request, logitRows: 0, probeRows: 0, targets: [] }, {});
      position += size;
    }
    const wanted = { ...ROW_OUTPUTS, ...(request.keepLogits && LOGITS_OUTPUT), ...(request.probeRows > 0 && PROBE_OUTPUTS), ...(request.edges.length > 0 && DISTRIBUTION_OUTPUT) };
    const outputs = await this.#run(position, end - position, request, wanted);
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

  #check(tokens: ArrayLike<number>, options: FeedOptions): Request {
    const { logitRows = 0, probeRows = 0, targets = [], keepLogits = false, spans = [], localTokens = 1, edges = [], chunkTokens } = options;
    const { vocabularySize } = this.checkpoint.config;
    const end = this.#length + tokens.length;
    if (tokens.length === 0) throw internal('a feed needs at least one token');
    if (end > this.capacityTokens) throw internal(`${end} tokens do not fit a capacity of ${this.capacityTokens}`);
    for (const rows of [logitRows, probeRows]) {
      if (!Number.isInteger(rows) || rows < 0 || rows > tokens.length) throw internal(`${rows} rows of ${tokens.length} tokens`);
    }
    if (targets.length !== 0 && targets.length !== logitRows) throw internal(`${targets.length} targets for ${logitRows} rows`);
    if (chunkTokens !== undefined && chunkTokens < FEWEST_ROWS) throw internal('a chunk needs at least two tokens');
    for (const span of spans) if (span[0] < 0 || span[1] < span[0] || span[1] > end) throw internal(`the span ${span.join(':')} lies outside ${end} tokens`);
    for (const ids of [tokens, targets]) {
      for (let index = 0; index < ids.length; index += 1) {
        const token = ids[index] ?? -1;
        if (!Number.isInteger(token) || token < 0 || token >= vocabularySize) throw internal(`${token} is not one of ${vocabularySize} token ids`);
      }
    }
    const rows = Math.max(logitRows, probeRows, FEWEST_ROWS);
    assertGraphFits(this.checkpoint.config, { capacityTokens: this.capacityTokens, chunkTokens: Math.max(rows, chunkTokens ?? LONGEST_CHUNK), rows });
    if (edges.length !== 0 && (!this.distributions || edges.length !== probeRows || probeRows < FEWEST_ROWS)) throw internal(`edges for ${edges.length} of ${probeRows} rows`);
    return { logitRows, probeRows, targets, keepLogits, spans, localTokens, edges };
  }

  async #run(position: number, size: number, request: Request, outputs: Readonly<Record<string, null>>): Promise<Tensors> {
    if (this.#cache === null || this.#cos === null || this.#sin === null) throw internal('a decoder needs a table before it is fed');
    const { inputs } = DECODER;
    const end = position + size;
    const rows = Math.min(size, Math.max(request.logitRows, FEWEST_ROWS));
    const probed = request.probeRows === 0 ? 0 : Math.min(size, Math.max(request.probeRows, FEWEST_ROWS));
    const feeds = {
      ...this.#cache.inputs,
      [inputs.tokens]: int64(this.#tokens.subarray(position, end), [1, size]),
      [inputs.cos]: this.#cos,
      [inputs.sin]: this.#sin,
      [inputs.lastKey]: tensor('int32', Int32Array.of(end - 1), [1]),
      [inputs.presentTokens]: tensor('int32', Int32Array.of(end), []),
      [inputs.newStart]: int64([position]),
      [inputs.newEnd]: int64([end]),
      [inputs.rowStart]: int64([size - rows]),
      [inputs.targets]: int64(alignRight(request.targets, rows), [rows, 1]),
      [inputs.probeStart]: int64([size - probed]),
      [inputs.probePositions]: int64(Array.from({ length: probed }, (_, row) => end - probed + row)),
      [inputs.probeKeys]: int64([probed === 0 ? 1 : end]),
      [inputs.spanMask]: spanMask(request.spans, probed === 0 ? 1 : end),
      [inputs.localTokens]: int64([request.localTokens]),
      ...(this.distributions && { [inputs.edges]: edgeInput(request.edges, probed) }),
    };
    try {
      const results = await this.session.run(feeds, { ...this.#cache.outputs, ...outputs });
      this.#cache.append(results, position);
      return results;
    } catch (cause) {
      throw OUT_OF_MEMORY.test(messageOf(cause))
        ? new RopesweepError('OUT_OF_MEMORY', { where: this.checkpoint.folder, what: `out of memory: a chunk of ${size} tokens after ${position}: ${messageOf(cause)}` }, { cause })
        : cause;
    }
  }
}

type Request = Required<Omit<FeedOptions, 'chunkTokens'>>;

const OUT_OF_MEMORY = /failed to allocate|bad_alloc|bad allocation|out of memory/i;
const { outputs: NAMES, probes: PROBES } = DECODER;
const ROW_OUTPUTS = { [NAMES.top1]: null, [NAMES.nll]: null, [NAMES.margin]: null };
const DISTRIBUTION_OUTPUT = { [NAMES.massBelow]: null };
const LOGITS_OUTPUT = { [NAMES.logits]: null };
const PROBE_OUTPUTS = { ...Object.fromEntries(Object.values(PROBES).map((name) => [name, null])), [NAMES.entropyOfMean]: null };

const internal = (what: string): RopesweepError => new RopesweepError('INTERNAL', { where: 'decoder', what });

const int64 = (values: ArrayLike<number>, shape: readonly number[] = [values.length]): RuntimeTensor =>
  tensor('int64', BigInt64Array.from({ length: values.length }, (_, index) => BigInt(values[index] ?? 0)), shape);

/** [keys] 1 within the spans, 0 elsewhere. */
function spanMask(spans: Request['spans'], keys: number): RuntimeTensor {
  const mask = new Float32Array(keys);
  for (const [start, end] of spans) mask.fill(1, start, end);
  return tensor('float32', mask, [keys]);
}

/** [1, P, E]; one edge at 0 where none is asked for. */
function edgeInput(edges: Request['edges'], rows: number): RuntimeTensor {
  const [first] = edges;
  return int64(first === undefined || rows === 0 ? Array.from({ length: rows }, () => 0) : edges.flat(), [1, rows, rows === 0 ? 1 : (first?.length ?? 1)]);
}

/** The values at the end of `length` places; the rows before them predict nothing that is asked for. */
const alignRight = (values: ArrayLike<number>, length: number): number[] =>
  Array.from({ length }, (_, index) => values[index - length + values.length] ?? 0);

function readResult(outputs: Tensors, request: Request, { layers, heads, vocabularySize }: Checkpoint['config']): FeedResult {
  const floats = (name: string) => (outputs[name]?.data ?? new Float32Array(0)) as Float32Array;
  const integers = (name: string) => (outputs[name]?.data ?? new BigInt64Array(0)) as BigInt64Array;
  const top1 = integers(NAMES.top1);
  const [nll, margin, logits] = [floats(NAMES.nll), floats(NAMES.margin), floats(NAMES.logits)];
  const skipped = top1.length - request.logitRows;
  const rows = Array.from({ length: request.logitRows }, (_, index): AnswerRow => {
    const row = skipped + index;
    return {
      ...(request.keepLogits && { logits: logits.slice(row * vocabularySize, (row + 1) * vocabularySize) }),
      top1: Number(top1[row]),
      nll: request.targets.length === 0 ? NaN : (nll[row] ?? NaN),
      margin: margin[row] ?? NaN,
    };
  });

  const count = layers * heads;
  const last = <Data extends Float32Array | Int32Array>(into: Data, from: ArrayLike<number | bigint>): Data => {
    const computed = from.length / count;
    return into.map((_, index) => {
      const pair = Math.floor(index / request.probeRows);
      return Number(from[pair * computed + computed - request.probeRows + (index % request.probeRows)]);
    }) as Data;
  };
  const probe = (name: string) => last(new Float32Array(count * request.probeRows), floats(name));
  const probes: AttentionProbes = {
    rows: request.probeRows,
    entropy: probe(PROBES.entropy),
    maxProbability: probe(PROBES.maxProbability),
    maxPosition: last(new Int32Array(count * request.probeRows), integers(PROBES.maxPosition)),
    sinkMass: probe(PROBES.sinkMass),
    sinkMass4: probe(PROBES.sinkMass4),
    localMass: probe(PROBES.localMass),
    spanMass: probe(PROBES.spanMass),
    entropyOfMean: floats(NAMES.entropyOfMean).slice(-request.probeRows || Infinity),
  };
  const finite =
    probes.entropy.every(Number.isFinite) && nll.subarray(skipped).every(Number.isFinite) && margin.subarray(skipped).every(Number.isFinite);
  const massBelow = request.edges.length === 0 ? new Float64Array(0) : (outputs[NAMES.massBelow]?.data as Float64Array);
  return { rows, probes, massBelow, finite };
}
