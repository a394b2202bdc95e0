/**
 * A decoder for devices on which nothing stays between runs: every feed is a whole sequence and one run.
 *
 * Two graphs answer (model/singleShotGraph.ts): losses of every row where all rows are asked for without their logits, else
 * the last rows. One is open at a time: the device holds its weights once.
 */
import { CPU, deviceText, type Device } from '../domain/device.js';
import { messageOf, RopesweepError, tellsOutOfMemory } from '../domain/errors.js';
import type { ComputeDtype } from '../domain/engine.js';
import type { RopeTable } from '../domain/method.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { DECODER } from '../model/decoderInterface.js';
import { FLOAT_OF } from '../model/graphBuilder.js';
import { assertSingleShotFits, singleShotGraph, type SingleShotOptions } from '../model/singleShotGraph.js';
import { cosSinTables } from '../rope/cosSin.js';
import { openSession, tensor, type RuntimeTensor, type Session } from '../runtime/session.js';
import { FEWEST_ROWS } from './chunks.js';
import { checkFeed, feedError, type FeedOptions, type FeedRequest, type FeedResult } from './feed.js';
import { int64, readResult, requestInputs, rowInput, wantedOutputs } from './feedTensors.js';
import type { SequenceDecoder } from './sequenceDecoder.js';

export interface SingleShotDecoderOptions {
  readonly threads: number;
  /** The CPU if absent, where tests hold it against the decoder that keeps its cache. */
  readonly device?: Device;
  /** That of the checkpoint's weights (model/weightCache.ts). */
  readonly dtype: ComputeDtype;
  /** Whether feeds may ask for attention distributions; no if absent. */
  readonly distributions?: boolean;
}

type Rows = SingleShotOptions['rows'];

interface Table {
  /** Each [capacityTokens, rotarySize / 2]. */
  readonly cos: RuntimeTensor;
  readonly sin: RuntimeTensor;
  readonly capacityTokens: number;
}

export class SingleShotDecoder implements SequenceDecoder {
  readonly keepsKv = false;
  #graph: { readonly rows: Rows; readonly session: Session } | null = null;
  #table: Table | null = null;
  #length = 0;
  #fedTokens = 0;

  private constructor(
    readonly checkpoint: Checkpoint,
    private readonly options: SingleShotDecoderOptions,
  ) {}

  /** @throws RopesweepError CHECKPOINT_INVALID, MODEL_UNSUPPORTED, OUT_OF_MEMORY */
  static async open(checkpoint: Checkpoint, options: SingleShotDecoderOptions): Promise<SingleShotDecoder> {
    const decoder = new SingleShotDecoder(checkpoint, options);
    await decoder.#session('answer');
    return decoder;
  }

  /** Tokens of the last feed, of which nothing is left but their number. */
  get length(): number {
    return this.#length;
  }

  get fedTokens(): number {
    return this.#fedTokens;
  }

  useTable(table: RopeTable, capacityTokens: number): void {
    const { config, geometry, folder } = this.checkpoint;
    const pairs = table.inverseFrequencies.length;
    if (pairs * 2 !== geometry.rotarySize) {
      throw new RopesweepError('TABLE_MISMATCH', { where: folder, what: `a table of ${pairs} pairs does not fit ${geometry.rotarySize} rotating dimensions` });
    }
    assertSingleShotFits(config, { tokens: capacityTokens, probeRows: FEWEST_ROWS });
    const { cos, sin } = cosSinTables(table, capacityTokens);
    const shape = [capacityTokens, pairs];
    this.#table = { cos: tensor('float32', cos, shape), sin: tensor('float32', sin, shape), capacityTokens };
    this.#length = 0;
  }

  /** No key of an earlier feed is left. */
  sharedWith(): number {
    return 0;
  }

  rewind(length: number): void {
    if (length !== 0) throw this.#keepsNothing(`cannot be rewound to ${length}`);
    this.#length = 0;
  }

  /**
   * Reads a whole sequence.
   * @throws RopesweepError OUT_OF_MEMORY, MODEL_UNSUPPORTED; INTERNAL for tokens, rows or spans that cannot be
   */
  async feed(tokens: ArrayLike<number>, options: FeedOptions = {}): Promise<FeedResult> {
    const table = this.#table;
    if (table === null) throw feedError('a decoder needs a table before it is fed');
    if (this.#length !== 0) throw this.#keepsNothing('cannot be continued');
    const { config } = this.checkpoint;
    const request = checkFeed(tokens, options, { length: 0, capacityTokens: table.capacityTokens, vocabularySize: config.vocabularySize, distributions: this.#distributions });
    assertSingleShotFits(config, { tokens: tokens.length, probeRows: request.probeRows });
    const rows = rowsOf(request, tokens.length);
    const session = await this.#session(rows);
    const feeds = {
      ...requestInputs(request, { end: tokens.length, size: tokens.length, distributions: this.#distributions }),
      ...(rows === 'answer' && rowInput(request, tokens.length)),
      [DECODER.inputs.tokens]: int64(tokens, [1, tokens.length]),
      [DECODER.inputs.cos]: table.cos,
      [DECODER.inputs.sin]: table.sin,
    };
    const outputs = await this.#tellingMemory(`${tokens.length} tokens in one run`, () => session.run(feeds, wantedOutputs(request)));
    this.#length = tokens.length;
    this.#fedTokens += tokens.length;
    return readResult(outputs, request, config);
  }

  async dispose(): Promise<void> {
    await this.#graph?.session.release();
    this.#graph = null;
  }

  get #distributions(): boolean {
    return this.options.distributions ?? false;
  }

  /** The session of a graph; that of the other one is closed before. */
  async #session(rows: Rows): Promise<Session> {
    if (this.#graph?.rows === rows) return this.#graph.session;
    await this.dispose();
    const { threads, device = CPU, dtype } = this.options;
    const graph = singleShotGraph(this.checkpoint, { type: FLOAT_OF[dtype], rows, distributions: this.#distributions });
    const session = await this.#tellingMemory('the weights', () => openSession(graph, { threads, device }));
    this.#graph = { rows, session };
    return session;
  }

  async #tellingMemory<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (cause) {
      const message = messageOf(cause);
      throw tellsOutOfMemory(message) ? new RopesweepError('OUT_OF_MEMORY', { where: this.checkpoint.folder, what: `out of memory: ${what}: ${message}` }, { cause }) : cause;
    }
  }

  #keepsNothing(what: string): RopesweepError {
    return feedError(`${deviceText(this.options.device ?? CPU)} keeps nothing between runs: ${this.#length} tokens ${what}`);
  }
}

/** Where every row is asked for, their logits would be the largest tensor of all. */
const rowsOf = ({ logitRows, keepLogits }: FeedRequest, tokens: number): Rows => (logitRows === tokens && !keepLogits ? 'every' : 'answer');
