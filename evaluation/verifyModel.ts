/**
 * Does this checkpoint compute here what its definition says? Fused graph against the graph of definitions on the
 * checkpoint's own weights, and everything around it that may be wrong without an error.
 */
import { deviceText, type Device } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import { messageOf, RopesweepError } from '../domain/errors.js';
import type { RopeTable } from '../domain/method.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { DECODER } from '../model/decoderInterface.js';
import { referenceGraph } from '../model/referenceGraph.js';
import { readTokenizerFiles } from '../model/tokenizerFiles.js';
import { asFloat32, type WeightCache } from '../model/weightCache.js';
import { randomStream } from '../domain/random.js';
import { Tokenizer } from '../prompts/tokenizer.js';
import { cosSinTables } from '../rope/cosSin.js';
import { knownTablesDifference, KNOWN_TABLES_TOLERANCE } from '../rope/knownTables.js';
import { methodLabel, ropeTable } from '../rope/method.js';
import { openSession, tensor } from '../runtime/session.js';
import { openDecoder } from './openDecoder.js';
import { selfTest } from './selfTest.js';
import { SELF_TEST_TOLERANCE } from './selfTestTolerance.js';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** The largest difference seen and what was allowed; null where the check is no number. */
  readonly difference: number | null;
  readonly tolerance: number | null;
  readonly detail: string;
}

export interface VerifyOptions {
  readonly device: Device;
  readonly dtype: ComputeDtype;
  readonly threads: number;
  /** Where weights are kept in the types of the computation and of the reference. */
  readonly cache: WeightCache;
}

/** Long enough for several chunks and for windows of tiny models; the definition keeps T x T scores of every head. */
const TOKENS = 160;
const ROWS = 8;
/** A cut that is not the engine's own. */
const OTHER_CHUNK = 23;
/** Of logits up to 8 in magnitude, in float32; larger ones round in proportion. */
const LOGIT_TOLERANCE = 3e-4;
const USUAL_LOGIT = 8;
/** cos^2 + sin^2 against attention factor squared, of float32 entries. */
const TABLE_TOLERANCE = 1e-6;

/**
 * How far logits may be from the float32 reference on the CPU, as a multiple of what float32 may: by the rounding step of the
 * type (2^-11 and 2^-8 against 2^-24), tempered by sums in float32. float16 on the CPU provider is 1e-2 off on logits up to 8.
 */
const TOLERANCE_FACTOR: Readonly<Record<ComputeDtype, number>> = { f32: 1, f16: 200, bf16: 1600 };

/**
 * @param checkpoint however its weights are stored
 * @throws RopesweepError those of opening a decoder
 */
export async function verifyModel(checkpoint: Checkpoint, options: VerifyOptions): Promise<Check[]> {
  const { device, threads } = options;
  const table = ropeTable(checkpoint.ropeSettings, checkpoint.geometry, TOKENS);
  return [
    within('attention of the device', await selfTest(threads, device), SELF_TEST_TOLERANCE, 'fused against reference operators on fixed numbers'),
    within('published RoPE tables', knownTablesDifference(), KNOWN_TABLES_TOLERANCE, 'none, pi 16, ntk base 1e6, yarn 16 of LLaMA-2; relative'),
    within("the checkpoint's table", circleDifference(table), TABLE_TOLERANCE, `${methodLabel(checkpoint.ropeSettings)}: cos^2 + sin^2 against the attention factor squared`),
    ...(await decoderChecks(checkpoint, table, options)),
    ...(await tokenizerChecks(checkpoint)),
  ];
}

const within = (name: string, difference: number, tolerance: number, detail: string): Check => ({ name, ok: difference <= tolerance, difference, tolerance, detail });
const holds = (name: string, ok: boolean, detail: string): Check => ({ name, ok, difference: null, tolerance: null, detail });

/** Relative to the attention factor squared, over all pairs of some positions near and far. */
function circleDifference(table: RopeTable): number {
  const { cos, sin } = cosSinTables(table, TOKENS);
  return cos.reduce((worst, value, index) => Math.max(worst, Math.abs((value ** 2 + (sin[index] ?? NaN) ** 2) / table.attentionFactor ** 2 - 1)), 0);
}

async function decoderChecks(checkpoint: Checkpoint, table: RopeTable, { device, dtype, threads, cache }: VerifyOptions): Promise<Check[]> {
  const random = randomStream('verify', 0);
  const tokens = Array.from({ length: TOKENS }, () => random.below(checkpoint.config.vocabularySize));
  const reference = await referenceLogits(await asFloat32(checkpoint, cache), tokens, table, threads);
  const decoder = await openDecoder(checkpoint, cache, { device, dtype, threads });
  try {
    const feed = async (chunkTokens: number) => {
      decoder.useTable(table, TOKENS);
      const { rows, finite } = await decoder.feed(tokens, { logitRows: ROWS, keepLogits: true, chunkTokens });
      return { logits: Float32Array.from(rows.flatMap((row) => Array.from(row.logits ?? []))), finite };
    };
    const whole = await feed(TOKENS);
    const again = await feed(decoder.keepsKv ? OTHER_CHUNK : TOKENS);
    const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return [
      holds('finite logits', whole.finite && whole.logits.every(Number.isFinite), `${ROWS} rows behind ${TOKENS} random tokens, up to ${largest.toPrecision(3)}`),
      within('fused against reference graph', largestDifference(whole.logits, reference), LOGIT_TOLERANCE * TOLERANCE_FACTOR[dtype] * Math.max(1, largest / USUAL_LOGIT), `logits of these rows; ${dtype} on ${deviceText(device)} against f32 on the CPU`),
      decoder.keepsKv
        ? holds('bits of two chunkings', sameBits(whole.logits, again.logits), `one chunk and chunks of ${OTHER_CHUNK}`)
        : holds('bits of two runs', sameBits(whole.logits, again.logits), 'the same tokens twice'),
    ];
  } finally {
    await decoder.dispose();
  }
}

async function referenceLogits(checkpoint: Checkpoint, tokens: readonly number[], table: RopeTable, threads: number): Promise<Float32Array> {
  const { cos, sin } = cosSinTables(table, TOKENS);
  const pairs = table.inverseFrequencies.length;
  const { inputs, outputs } = DECODER;
  const session = await openSession(referenceGraph(checkpoint, TOKENS), { threads });
  try {
    const results = await session.run(
      {
        [inputs.tokens]: tensor('int64', BigInt64Array.from(tokens, BigInt), [1, TOKENS]),
        [inputs.cos]: tensor('float32', cos, [TOKENS, pairs]),
        [inputs.sin]: tensor('float32', sin, [TOKENS, pairs]),
        [inputs.rowStart]: tensor('int64', BigInt64Array.of(BigInt(TOKENS - ROWS)), [1]),
        [inputs.targets]: tensor('int64', new BigInt64Array(ROWS), [ROWS, 1]),
      },
      { [outputs.logits]: null },
    );
    const { data } = results[outputs.logits] ?? {};
    if (data instanceof Float32Array) return data;
    throw new RopesweepError('INTERNAL', { where: 'verify', what: 'the reference graph gave no logits' });
  } finally {
    await session.release();
  }
}

/** Not a number, and a length that differs, count as the largest. */
const largestDifference = (ours: Float32Array, theirs: Float32Array): number =>
  theirs.reduce((worst, value, index) => {
    const difference = Math.abs((ours[index] ?? NaN) - value);
    return difference <= worst ? worst : difference;
  }, ours.length === theirs.length ? 0 : Infinity);

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.compare(Buffer.from(a.buffer, a.byteOffset, a.byteLength), Buffer.from(b.buffer, b.byteOffset, b.byteLength)) === 0;

const SAMPLE = 'The pass key is 71482. Remember it:\n\tnaïve – 你好, 3.14 times!';

async function tokenizerChecks({ folder, config }: Checkpoint): Promise<Check[]> {
  const name = 'tokenizer';
  try {
    const files = await readTokenizerFiles(folder);
    if (files === null) return [holds(name, true, 'there is none')];
    const tokenizer = new Tokenizer(files);
    const special = [...(files.bosTokenId === null ? [] : [files.bosTokenId]), ...files.eosTokenIds];
    return [
      holds('tokenizer within the model', files.vocabularySize <= config.vocabularySize, `${files.vocabularySize} tokens for ${config.vocabularySize} rows of embeddings`),
      holds('BOS and EOS', special.every((id) => id < config.vocabularySize && tokenizer.tokenText(id) !== undefined), `BOS ${files.bosTokenId ?? 'none'}, EOS ${files.eosTokenIds.join(', ') || 'none'}`),
      holds('text there and back', comesBack(tokenizer), 'the ids of a text, decoded and encoded again'),
    ];
  } catch (error) {
    if (error instanceof RopesweepError) return [holds(name, false, messageOf(error))];
    throw error;
  }
}

/** Vocabularies of whole words have no ids for most texts: there the text is one of their own words. */
function comesBack(tokenizer: Tokenizer): boolean {
  const text = spelt(tokenizer, SAMPLE) ?? tokenizer.decode(Array.from({ length: 32 }, (_, id) => id), { skipSpecial: true });
  const ids = tokenizer.encode(text, { addSpecial: false });
  return ids.length > 0 && tokenizer.encode(tokenizer.decode(ids, { skipSpecial: false }), { addSpecial: false }).join() === ids.join();
}

/** The text, if the tokenizer can spell it. */
function spelt(tokenizer: Tokenizer, text: string): string | null {
  try {
    tokenizer.encode(text, { addSpecial: false });
    return text;
  } catch (error) {
    if (error instanceof RopesweepError) return null;
    throw error;
  }
}
